using System.Net;
using Mesh.Runtime.Logging;
using Mesh.Ztunnel.NodeAgent;

namespace Mesh.Ztunnel.Tests.NodeAgent;

public sealed class PodListFileTests : IDisposable
{
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"mesh-pods-{Guid.NewGuid():N}.json");
    private readonly MemoryStream _log = new();
    private readonly LogSink _sink;
    private readonly PodListFile _list;

    public PodListFileTests()
    {
        _sink = new LogSink(_log, LogFormat.Text, LogFilter.TryParse("info", out var filter, out _) ? filter : throw new InvalidOperationException(), TimeProvider.System);
        _list = new PodListFile(_file, _sink, TimeProvider.System);
    }

    public void Dispose()
    {
        _sink.Dispose();
        File.Delete(_file);
    }

    [Fact]
    public void Entry_HasWhatIsKnown()
    {
        var pods = _list.Parse("""
            [{"uid":"u1","name":"web-1","namespace":"shop","serviceAccount":"web","addresses":["198.18.0.9","fd00::9"],"networkNamespace":"/run/netns/web"},
             {"uid":"u2","name":"db-1","namespace":"shop","serviceAccount":"db"}]
            """)!;
        Assert.Equal("shop/web-1", pods[0].Info.ToString());
        Assert.Equal([IPAddress.Parse("198.18.0.9"), IPAddress.Parse("fd00::9")], pods[0].Addresses);
        Assert.Equal("/run/netns/web", pods[0].NamespacePath);
        Assert.True(pods[1].Addresses.IsEmpty);
    }

    [Theory]
    [InlineData("""[{"uid":"u1","name":"a","namespace":"b"}]""", "serviceAccount")]
    [InlineData("""[{"uid":"u1","name":"a","namespace":"b","serviceAccount":"c","addreses":[]}]""", "addreses")]
    [InlineData("""[{"uid":"u1","name":"a","namespace":"b","serviceAccount":"c","addresses":["300.1.1.1"]}]""", "'300.1.1.1' of b/a is no address")]
    [InlineData("""[{"uid":"u1","name":"a","namespace":"b","serviceAccount":"c"},{"uid":"u1","name":"d","namespace":"b","serviceAccount":"c"}]""", "u1 is there twice")]
    [InlineData("[", "not usable")]
    public void ListWithAFault_ChangesNothing_AndSaysWhich(string text, string complaint)
    {
        Assert.Null(_list.Parse(text));
        _sink.Flush();
        Assert.Contains(complaint, System.Text.Encoding.UTF8.GetString(_log.ToArray()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task File_ThatAppearsLater_IsTheFirstSet()
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await using var sets = _list.WatchAsync(stop.Token).GetAsyncEnumerator(stop.Token);
        var first = sets.MoveNextAsync();
        await File.WriteAllTextAsync(_file, """[{"uid":"u1","name":"a","namespace":"b","serviceAccount":"c"}]""", stop.Token);
        Assert.True(await first);
        Assert.Equal("u1", Assert.Single(sets.Current).Uid);
    }
}

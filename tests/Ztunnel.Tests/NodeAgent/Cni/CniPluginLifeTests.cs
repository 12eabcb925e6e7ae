using System.Text.Json.Nodes;
using System.Threading.Channels;
using Mesh.Runtime.Logging;
using Mesh.Ztunnel.NodeAgent.Cni;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.Tests.NodeAgent.Cni;

/// <summary>The real plugin in folders of the test's own: it is there exactly as long as it should be.</summary>
public sealed class CniPluginLifeTests : IDisposable
{
    private const string Plain = """{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"bridge"}]}""";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-cni-life-").FullName;
    private readonly Channel<string?> _reports = Channel.CreateUnbounded<string?>();

    private string Configuration => Path.Combine(_folder, "net.d", "10-net.conflist");

    public CniPluginLifeTests() => Directory.CreateDirectory(Path.Combine(_folder, "net.d"));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Plugin_IsChainedAgain_WhenThePodNetworkRewritesItsConfiguration_AndGoesWithTheMesh()
    {
        await File.WriteAllTextAsync(Configuration, Plain);
        await using var plugin = Make(isChained: true);
        plugin.Start();
        Assert.Null(await NextReportAsync());
        Assert.Equal(["bridge", "mesh-cni"], Chain());

        await File.WriteAllTextAsync(Configuration, Plain);
        await UntilAsync(() => Chain().Length == 2);

        await plugin.RemoveAsync();
        Assert.Equal(["bridge"], Chain());
        Assert.False(File.Exists(Path.Combine(_folder, "bin", "mesh-cni")));
    }

    [Fact]
    public async Task Plugin_WithoutAPodNetwork_SaysSo_AndIsChainedAsSoonAsThereIsOne()
    {
        await using var plugin = Make(isChained: true);
        plugin.Start();
        Assert.Contains("no network configuration yet", await NextReportAsync(), StringComparison.Ordinal);
        await File.WriteAllTextAsync(Configuration, Plain);
        while (await NextReportAsync() is not null)
        {
            // The file may be seen before it is written.
        }
        Assert.Equal(["bridge", "mesh-cni"], Chain());
    }

    [Fact]
    public async Task Plugin_OfAnAgentThatEnds_StaysForItsSuccessor_AndGoesWhereItIsNotWantedAnyMore()
    {
        await File.WriteAllTextAsync(Configuration, Plain);
        await using (var plugin = Make(isChained: true))
        {
            plugin.Start();
            await NextReportAsync();
        }
        Assert.Equal(["bridge", "mesh-cni"], Chain());

        await using var next = Make(isChained: false);
        next.Start();
        await UntilAsync(() => Chain().Length == 1);

        // An agent of before, in the end of its life, chains it again.
        await File.WriteAllTextAsync(Configuration, """{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"bridge"},{"type":"mesh-cni"}]}""");
        await UntilAsync(() => Chain().Length == 1);
    }

    private CniPlugin Make(bool isChained) => new(
        new CniSettings { IsChained = isChained, Program = Testing.Repository.CniPlugin, ProgramFolder = Path.Combine(_folder, "bin"), ConfigurationFolder = Path.Combine(_folder, "net.d") },
        ["--agent-socket=/run/a.sock"], report => _reports.Writer.TryWrite(report), new LogSink(Stream.Null, LogFormat.Text, LogFilter.Default, TimeProvider.System), TimeProvider.System);

    private async Task<string?> NextReportAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        return await _reports.Reader.ReadAsync(patience.Token);
    }

    private string[] Chain()
    {
        try
        {
            return [.. JsonNode.Parse(File.ReadAllText(Configuration))!["plugins"]!.AsArray().Select(p => (string)p!["type"]!)];
        }
        catch (System.Text.Json.JsonException)
        {
            return []; // it is being written
        }
    }

    /// <summary>What a program of its own does to files has no event here.</summary>
    private static async Task UntilAsync(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!condition())
            await Task.Delay(20, patience.Token);
    }
}

using Mesh.Kubernetes.Informers;
using Mesh.Testing.Kubernetes;
using Mesh.Testing.Kubernetes.Serving;
using Mesh.Testing.Kubernetes.Storage;

namespace Mesh.Kubernetes.Tests.Informers;

/// <summary>Lists as streams where the server can (KEP-3157), in pages where it cannot.</summary>
public sealed class StreamingListTests : IAsyncLifetime
{
    private static readonly InformerOptions _streaming = Clients.Quick with { StreamingLists = true };
    private readonly FakeApiServer _server = new();

    public Task InitializeAsync() => _server.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task ServerThatCan_IsAskedOnce_ForTheListAndWhatFollows()
    {
        _server.StreamingLists = true;
        Put("a");
        Put("b");
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps, options: _streaming);
        await mirror.UntilNamesAsync("a", "b");
        await mirror.Informer.Synced.WaitAsync(Clients.Patience);
        Put("c");
        Delete("a");

        await mirror.UntilNamesAsync("b", "c");
        var request = Assert.Single(_server.Requests, r => r.Contains("/configmaps", StringComparison.Ordinal));
        Assert.Contains("sendInitialEvents=true&resourceVersionMatch=NotOlderThan", request, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NothingIsTold_BeforeTheListIsInFull_AndWhatIsGoneGoesWithIt()
    {
        _server.StreamingLists = true;
        Put("goes");
        Put("stays");
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps, options: _streaming);
        await mirror.UntilNamesAsync("goes", "stays");

        await _server.StopAsync();
        Delete("goes");
        _server.ForgetHistory();
        await _server.StartAsync();

        await mirror.UntilNamesAsync("stays");
        Assert.Single(mirror.Changes, c => c.Key.Name == "stays");
        Assert.DoesNotContain(_server.Requests, r => r.Contains("limit=", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ServerThatRefuses_IsAskedInPages_AndNotForAStreamAgain()
    {
        for (var i = 0; i < 5; i++)
            Put($"c{i}");
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps, options: _streaming);
        await mirror.UntilNamesAsync("c0", "c1", "c2", "c3", "c4");
        await mirror.UntilAsync(m => m.Informer.Health.State is InformerState.Watching);
        Assert.Equal(0, mirror.Informer.Health.Failures);

        _server.ForgetHistory();
        _server.EndWatches();
        Put("c5");
        await mirror.UntilNamesAsync("c0", "c1", "c2", "c3", "c4", "c5");

        Assert.Single(_server.Requests, r => r.Contains("sendInitialEvents", StringComparison.Ordinal));
        Assert.Contains(_server.Requests, r => r.Contains("continue=", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ServerThatDoesNotKnowTheParameter_IsAskedInPages()
    {
        _server.IgnoresStreamingLists = true;
        Put("a");
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps, options: _streaming with { StreamedListSilence = TimeSpan.FromMilliseconds(200) });
        await mirror.UntilNamesAsync("a");
        Put("b");

        await mirror.UntilNamesAsync("a", "b");
        Assert.Contains(_server.Requests, r => r.Contains("limit=3", StringComparison.Ordinal));
    }

    [Fact]
    public async Task StreamThatIsCutInTheMiddleOfItsList_TakesNothing_AndThePagesDo()
    {
        _server.StreamingLists = true;
        _server.Faults.Add(new Fault { Method = "WATCH", Truncate = true, Times = 3 });
        Put("a");
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps, options: _streaming);

        await mirror.UntilNamesAsync("a");
        Assert.Contains(_server.Requests, r => r.Contains("limit=3", StringComparison.Ordinal));
    }

    private void Put(string name) => _server.Put($$"""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"{{name}}","namespace":"default"} }""");

    private void Delete(string name) => _server.Store.Delete(_server.Store.FindKind("", "v1", "configmaps")!, "default", name, null, new WriteContext());
}

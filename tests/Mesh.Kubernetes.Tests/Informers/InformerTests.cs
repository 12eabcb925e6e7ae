using Mesh.Kubernetes.Connection;
using Mesh.Kubernetes.Informers;
using Mesh.Kubernetes.Requests;
using Mesh.Testing.Kubernetes;
using Mesh.Testing.Kubernetes.Serving;
using Mesh.Testing.Kubernetes.Storage;

namespace Mesh.Kubernetes.Tests.Informers;

/// <summary>Informers against a server with real list and watch semantics, on good and on bad days.</summary>
public sealed class InformerTests : IAsyncLifetime
{
    private readonly FakeApiServer _server = new();

    public Task InitializeAsync() => _server.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task ListInPages_ThenChanges_AreFollowed()
    {
        for (var i = 0; i < 8; i++)
            Put($"c{i}");
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps);
        await mirror.Informer.Synced.WaitAsync(Clients.Patience);
        Assert.Equal(8, mirror.Content.Count);
        Assert.Contains(_server.Requests, r => r.Contains("continue=", StringComparison.Ordinal));

        Put("c8");
        Delete("c0");
        Put("c1", "changed");

        await mirror.UntilAsync(m => m.Content.Values.Any(t => t.Contains("changed", StringComparison.Ordinal)));
        await mirror.UntilNamesAsync("c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8");
    }

    [Fact]
    public async Task ServerThatForgotUs_IsListedAgain_AndWhatWasDeletedMeanwhileIsDeleted()
    {
        Put("stays");
        Put("goes");
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps);
        await mirror.UntilNamesAsync("stays", "goes");

        await _server.StopAsync();
        Delete("goes");
        Put("new");
        _server.ForgetHistory();
        await _server.StartAsync();

        await mirror.UntilNamesAsync("stays", "new");
        Assert.Single(mirror.Changes, c => c.Key.Name == "stays");
        Assert.Equal(2, mirror.Informer.Health.Lists);
    }

    [Fact]
    public async Task ServerAway_KeepsWhatIsKnown_SaysSo_AndRecovers()
    {
        Put("one");
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps);
        await mirror.UntilNamesAsync("one");

        await _server.StopAsync();
        await mirror.UntilAsync(m => m.Informer.Health is { State: InformerState.Retrying, Failures: > 2 });
        Assert.Single(mirror.Content);
        Assert.Contains("does not answer", mirror.Informer.Health.Problem!, StringComparison.Ordinal);
        await _server.StartAsync();
        Put("two");

        await mirror.UntilNamesAsync("one", "two");
        await mirror.UntilAsync(m => m.Informer.Health is { State: InformerState.Watching, Problem: null });
    }

    [Fact]
    public async Task WatchThatEndsInGoodOrder_GoesOnWithoutAnotherList()
    {
        Put("one");
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps);
        await mirror.UntilAsync(m => m.Informer.Health.State is InformerState.Watching);

        _server.EndWatches();
        await mirror.UntilAsync(m => m.Informer.Health.Watches >= 2);
        Put("two");

        await mirror.UntilNamesAsync("one", "two");
        Assert.Equal(1, mirror.Informer.Health.Lists);
        Assert.Equal(0, mirror.Informer.Health.Failures);
    }

    [Fact]
    public async Task DuplicateEvents_ChangeNothingTwice()
    {
        _server.Faults.Add(new Fault { Method = "WATCH", Duplicate = true });
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps);
        await mirror.UntilAsync(m => m.Informer.Health.State is InformerState.Watching);

        Put("one");
        Put("two");

        await mirror.UntilNamesAsync("one", "two");
        await mirror.UntilAsync(m => m.Informer.Health.Irregular >= 2);
        Assert.Equal(2, mirror.Changes.Count);
    }

    [Fact]
    public async Task KindThatIsNotInstalled_IsWaitedFor_AndGivenUpOnlyAfterAWhile()
    {
        var type = new ResourceType("security.istio.io", "v1", "authorizationpolicies", "AuthorizationPolicy");
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, type);
        await mirror.Informer.Synced.WaitAsync(Clients.Patience);
        Assert.Equal(InformerState.NotInstalled, mirror.Informer.Health.State);
        Assert.Null(mirror.Informer.Health.Problem);

        _server.InstallMeshKinds();
        _server.Put("""{"apiVersion":"security.istio.io/v1","kind":"AuthorizationPolicy","metadata":{"name":"p","namespace":"default"},"spec":{}}""");
        await mirror.UntilNamesAsync("p");

        var crds = _server.Store.FindKind("apiextensions.k8s.io", "v1", "customresourcedefinitions")!;
        _server.Store.Delete(crds, "", "authorizationpolicies.security.istio.io", null, new WriteContext());
        await mirror.UntilNamesAsync();
        await mirror.UntilAsync(m => m.Informer.Health.State is InformerState.NotInstalled);
    }

    [Fact]
    public async Task MissingApiForAMoment_LosesNothing()
    {
        Put("one");
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps, options: Clients.Quick with { MissingGrace = TimeSpan.FromMinutes(10) });
        await mirror.UntilAsync(m => m.Informer.Health.State is InformerState.Watching);

        _server.Faults.Add(new Fault { Path = "^/api/v1", Times = 6, Status = 404, ContentType = "text/plain", Body = "404 page not found\n" });
        _server.EndWatches();
        await mirror.UntilAsync(m => m.Informer.Health.Watches >= 2);

        Assert.Single(mirror.Changes);
    }

    [Fact]
    public async Task TruncatedEvents_AreNotTaken_AndTheListMakesItGood()
    {
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps);
        await mirror.UntilAsync(m => m.Informer.Health.State is InformerState.Watching);

        _server.Faults.Add(new Fault { Method = "WATCH", Truncate = true, Times = 3 });
        _server.EndWatches();
        await mirror.UntilAsync(m => m.Informer.Health.Watches >= 2);
        Put("one");

        await mirror.UntilNamesAsync("one");
        Assert.NotEqual(0, mirror.Informer.Health.Failures);
    }

    [Fact]
    public async Task Gone_OverAndOver_IsNoTightLoop_AndEnds()
    {
        Put("one");
        _server.Faults.Add(new Fault { Method = "WATCH", Times = 5, Status = 200, Body = """{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old","reason":"Expired","code":410}}""" + "\n" });
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps);

        await mirror.UntilAsync(m => m.Informer.Health is { State: InformerState.Watching, Lists: >= 5 });
        Put("two");

        await mirror.UntilNamesAsync("one", "two");
    }

    [Fact]
    public async Task RequestThatIsNeverAnswered_IsGivenUp_SaidAndMadeAgain()
    {
        Put("one");
        _server.Faults.Add(new Fault { Method = "GET", Path = "/configmaps$", Hang = true, Times = 1 });
        using var client = new KubeClient(new ClusterConfiguration { Server = _server.PlainAddress, Credentials = new StaticToken(FakeApiServer.AdminToken) }, new KubeClientOptions { RequestTimeout = TimeSpan.FromSeconds(1) });
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps, options: Clients.Quick with { FirstDelay = TimeSpan.FromMilliseconds(200) });

        await mirror.UntilAsync(m => m.Informer.Health.Failures > 0);
        await mirror.UntilNamesAsync("one");
    }

    [Fact]
    public async Task WhoIsToldThatTheListIsInFull_FindsItSo()
    {
        Put("one");
        using var client = Clients.To(_server);
        var asked = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var handler = new Asker();
        await using var informer = new Informer<string>(client, ResourceChoice.Of(ResourceTypes.ConfigMaps), null, Selection.All, Clients.Text, handler, Clients.Quick);
        handler.Told = () => asked.TrySetResult(informer.Synced.IsCompleted);
        informer.Start();

        Assert.True(await asked.Task.WaitAsync(Clients.Patience));
    }

    [Fact]
    public async Task DecoderThatFailsOnOneObject_KeepsNobodyFromTheOthers()
    {
        Put("one");
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps, decode: item => item.Key.Name == "odd" ? throw new InvalidOperationException("a fault of ours") : Clients.Text(item));
        await mirror.UntilNamesAsync("one");

        Put("odd");
        Put("two");

        await mirror.UntilNamesAsync("one", "two");
        await mirror.UntilAsync(m => m.Informer.Health.Problem?.Contains("a fault of ours", StringComparison.Ordinal) is true);
    }

    [Fact]
    public async Task HandlerThatFails_DoesNotEndTheWatching()
    {
        using var client = Clients.To(_server);
        var handler = new Asker { FailOn = "one" };
        await using var informer = new Informer<string>(client, ResourceChoice.Of(ResourceTypes.ConfigMaps), null, Selection.All, Clients.Text, handler, Clients.Quick);
        informer.Start();
        await informer.Synced.WaitAsync(Clients.Patience);

        Put("one");
        Put("two");

        await handler.Seen.Task.WaitAsync(Clients.Patience);
        Assert.True(informer.Health.Failures > 0);
    }

    /// <summary>Looks at the informer from within its calls.</summary>
    private sealed class Asker : IInformerHandler<string>
    {
        private bool _failed;

        public Action? Told { get; set; }
        public string? FailOn { get; init; }
        public TaskCompletionSource Seen { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void OnChanged(InformerChange<string> change)
        {
            if (change.Key.Name == FailOn && !_failed)
            {
                _failed = true;
                throw new InvalidOperationException("a fault of ours");
            }
            if (change.Key.Name == "two")
                Seen.TrySetResult();
        }

        public void OnSynced() => Told?.Invoke();

        public void OnHealth(InformerHealth health)
        {
            // Read from the informer.
        }
    }

    [Fact]
    public async Task HistorySetBack_IsNoticedByTheBookmark()
    {
        Put("one");
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps);
        await mirror.UntilNamesAsync("one");

        _server.Store.SetBackRevision(500);
        Put("two");
        _server.EndWatches();

        await mirror.UntilNamesAsync("one", "two");
    }

    [Fact]
    public async Task LabelSelector_WhatStopsMatchingIsGone()
    {
        _server.Put("""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"default","labels":{"x":"1"}}}""");
        using var client = Clients.To(_server);
        await using var mirror = new Mirror(client, ResourceTypes.ConfigMaps, selection: new Selection { Labels = "x=1" });
        await mirror.UntilNamesAsync("a");

        _server.Put("""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"default","labels":{"x":"2"}}}""");
        await mirror.UntilNamesAsync();
        _server.Put("""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"default","labels":{"x":"1"}}}""");

        await mirror.UntilNamesAsync("a");
    }

    private void Put(string name, string value = "x") =>
        _server.Put($$"""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"{{name}}","namespace":"default"},"data":{"v":"{{value}}"} }""");

    private void Delete(string name) => _server.Store.Delete(_server.Store.FindKind("", "v1", "configmaps")!, "default", name, null, new WriteContext());
}

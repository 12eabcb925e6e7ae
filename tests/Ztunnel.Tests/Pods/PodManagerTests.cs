using Mesh.Runtime.Decisions;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Pods;

namespace Mesh.Ztunnel.Tests.Pods;

/// <summary>What the node agent says against what runs.</summary>
public sealed class PodManagerTests
{
    private readonly Factory _factory = new();
    private readonly Events _events = new();
    private readonly PodManager _pods;

    public PodManagerTests() => _pods = new PodManager(_factory, _events);

    private static PodInfo Info(string name = "a") => new(name, "ns", "sa");

    private static PodNetwork Network(ulong id) => new((1, id), null);

    [Fact]
    public async Task Add_StartsAProxy_AndASecondAddOfTheSameNamespaceChangesNothing()
    {
        await _pods.BeginSnapshotAsync();
        Assert.Null(await _pods.AddAsync("u1", Info(), Network(1)));
        Assert.Null(await _pods.AddAsync("u1", Info(), Network(1)));
        Assert.Single(_factory.Started);
        Assert.Equal(1, _pods.RunningCount);
    }

    [Fact]
    public async Task Add_WithAnotherNamespace_ReplacesTheProxy()
    {
        await _pods.BeginSnapshotAsync();
        await _pods.AddAsync("u1", Info(), Network(1));
        await _pods.AddAsync("u1", Info(), Network(2));
        Assert.Equal(2, _factory.Started.Count);
        Assert.True(_factory.Started[0].IsStopped);
        Assert.False(_factory.Started[1].IsStopped);
    }

    [Fact]
    public async Task Add_ThatFails_IsReportedAndRetried()
    {
        await _pods.BeginSnapshotAsync();
        _factory.Failure = "no such device";
        Assert.Equal("no such device", await _pods.AddAsync("u1", Info(), Network(1)));
        await _pods.CompleteSnapshotAsync();
        Assert.Equal((0, 1, false), _events.Last);
        await _pods.RetryPendingAsync();
        Assert.Equal((0, 1, false), _events.Last);
        _factory.Failure = null;
        await _pods.RetryPendingAsync();
        Assert.Equal((1, 0, true), _events.Last);
    }

    [Fact]
    public async Task Add_WhileTheSamePodIsPending_StartsItAtOnce()
    {
        await _pods.BeginSnapshotAsync();
        _factory.Failure = "busy";
        await _pods.AddAsync("u1", Info(), Network(1));
        _factory.Failure = null;
        Assert.Null(await _pods.AddAsync("u1", Info(), Network(2)));
        Assert.Equal((1, 0), (_pods.RunningCount, _pods.PendingCount));
    }

    [Fact]
    public async Task Delete_OfAPendingPod_ForgetsIt()
    {
        await _pods.BeginSnapshotAsync();
        _factory.Failure = "busy";
        await _pods.AddAsync("u1", Info(), Network(1));
        await _pods.DeleteAsync("u1");
        _factory.Failure = null;
        await _pods.RetryPendingAsync();
        Assert.Empty(_factory.Started);
    }

    [Fact]
    public async Task Delete_AfterTheSnapshot_StopsAtOnce_AndUnknownPodsAreAccepted()
    {
        await _pods.BeginSnapshotAsync();
        await _pods.AddAsync("u1", Info(), Network(1));
        await _pods.CompleteSnapshotAsync();
        await _pods.DeleteAsync("u1");
        await _pods.DeleteAsync("nope");
        Assert.True(_factory.Started[0].IsStopped);
        await _pods.AddAsync("u1", Info(), Network(1));
        Assert.Equal(1, _pods.RunningCount);
    }

    [Fact]
    public async Task Delete_BeforeTheSnapshot_TakesEffectAtTheSnapshot()
    {
        await _pods.BeginSnapshotAsync();
        await _pods.AddAsync("u1", Info(), Network(1));
        await _pods.DeleteAsync("u1");
        Assert.False(_factory.Started[0].IsStopped);
        await _pods.CompleteSnapshotAsync();
        Assert.True(_factory.Started[0].IsStopped);
    }

    [Fact]
    public async Task Snapshot_OfANewConnection_KeepsWhatItNames_AndStopsTheRest()
    {
        await _pods.BeginSnapshotAsync();
        await _pods.AddAsync("u1", Info("a"), Network(1));
        await _pods.AddAsync("u2", Info("b"), Network(2));
        await _pods.CompleteSnapshotAsync();
        _pods.SourceLost();
        Assert.False(_events.Last.Ready);
        await _pods.BeginSnapshotAsync();
        Assert.True(await _pods.KeepAsync("u1"));
        Assert.False(_events.Last.Ready);
        Assert.True(await _pods.CompleteSnapshotAsync());
        Assert.Equal((false, true), (_factory.Started[0].IsStopped, _factory.Started[1].IsStopped));
        Assert.Equal((1, 0, true), _events.Last);
    }

    [Fact]
    public async Task KeepOrSnapshot_AfterTheSnapshot_BreaksTheProtocol()
    {
        await _pods.BeginSnapshotAsync();
        await _pods.CompleteSnapshotAsync();
        Assert.False(await _pods.KeepAsync("u1"));
        Assert.False(await _pods.CompleteSnapshotAsync());
    }

    /// <summary>A pod that was told to be uncaptured because its rules could not be looked at: nobody else would say that they are right again.</summary>
    [Fact]
    public async Task Repair_ThatFailsAndThenFindsNothingWrong_IsTold()
    {
        await _pods.BeginSnapshotAsync();
        await _pods.AddAsync("u1", Info(), Network(1));
        _factory.Started[0].Failure = "no memory";
        await _pods.RepairAsync();
        Assert.Equal(["failed u1: no memory"], _events.Told);
        _factory.Started[0].Failure = null;
        await _pods.RepairAsync();
        await _pods.RepairAsync();
        Assert.Equal(["failed u1: no memory", "recovered u1"], _events.Told);
    }

    private sealed class Proxy : IPodProxy
    {
        public string? Failure { get; set; }

        public Task<bool> RepairAsync() => Failure is { } text ? throw new InvalidOperationException(text) : Task.FromResult(false);

        public Task<IReadOnlyList<IDecision>> FindOpenAsync(DecisionQuery query) => Task.FromResult<IReadOnlyList<IDecision>>([]);

        public bool IsStopped { get; private set; }

        public Task StopAsync()
        {
            IsStopped = true;
            return Task.CompletedTask;
        }

        public Task DrainAsync(CancellationToken forced) => StopAsync();

        public Task RevokeAsync(Func<IReadOnlyList<System.Security.Cryptography.X509Certificates.X509Certificate2>, bool> isRevoked) => Task.CompletedTask;

        public Task<PodConnections> ListConnectionsAsync() => Task.FromResult(new PodConnections([], []));
    }

    private sealed class Factory : IPodProxyFactory
    {
        public List<Proxy> Started { get; } = [];

        public string? Failure { get; set; }

        public Task<IPodProxy> StartAsync(string uid, PodInfo info, PodNetwork network)
        {
            if (Failure is { } text)
                throw new InvalidOperationException(text);
            var proxy = new Proxy();
            Started.Add(proxy);
            return Task.FromResult<IPodProxy>(proxy);
        }
    }

    private sealed class Events : IPodEvents
    {
        public (int Running, int Pending, bool Ready) Last { get; private set; }

        public List<string> Told { get; } = [];

        public void PodStarted(string uid, PodInfo info)
        {
            // Only the sums matter here.
        }

        public void PodStopped(string uid, PodInfo info)
        {
            // Only the sums matter here.
        }

        public void PodStartFailed(string uid, PodInfo info, string reason) => Told.Add($"failed {uid}: {reason}");

        public void PodRecovered(string uid, PodInfo info) => Told.Add($"recovered {uid}");

        public void PodRepaired(string uid, PodInfo info)
        {
            // Only the log hears of it.
        }

        public void PodsChanged(int running, int pending, bool ready) => Last = (running, pending, ready);
    }
}

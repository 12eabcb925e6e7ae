using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using Mesh.Net;
using Mesh.Runtime.Decisions;
using Mesh.Runtime.Logging;
using Mesh.Testing;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.NodeAgent;
using Mesh.Ztunnel.Pods;

namespace Mesh.Ztunnel.Tests.NodeAgent;

/// <summary>What is wanted on this node against what runs. The namespace of all pods here is the test's own.</summary>
public sealed class NodeAgentSourceTests : IAsyncDisposable, INodePods, IPodProxyFactory, IPodEvents
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly NodeLayout _node = new();
    private readonly LogSink _sink = new(Stream.Null, LogFormat.Text, LogFilter.TryParse("info", out var filter, out _) ? filter : throw new InvalidOperationException(), TimeProvider.System);
    private readonly Channel<IReadOnlyList<NodePod>> _sets = Channel.CreateUnbounded<IReadOnlyList<NodePod>>();
    private readonly Channel<string> _happened = Channel.CreateUnbounded<string>();
    private readonly Channel<string> _missing = Channel.CreateUnbounded<string>();
    private readonly List<(string Uid, bool MayHoldRules)> _holding = [];
    private readonly PodManager _pods;
    private readonly NodeAgentSource _source;
    private readonly Task<string?> _running;
    private bool _ready;

    public NodeAgentSourceTests()
    {
        _pods = new PodManager(this, this);
        _source = new NodeAgentSource(this, _node.Finder, null, _pods, _sink, TimeProvider.System) { Worrying = TimeSpan.Zero };
        _running = _source.RunAsync();
    }

    private static NodePod Pod(string uid, params string[] addresses) => NodeLayout.Pod(uid, addresses) with { NamespacePath = "/proc/self/ns/net" };

    private async Task<string> NextAsync() => await _happened.Reader.ReadAsync().AsTask().WaitAsync(Patience);

    [Fact]
    public async Task FirstSet_StartsEveryPod_AndThenTheNodeIsReady()
    {
        await _sets.Writer.WriteAsync([Pod("u1"), Pod("u2")]);
        Assert.Equal(["started u1", "started u2"], [await NextAsync(), await NextAsync()]);
        await _sets.Writer.WriteAsync([Pod("u2"), Pod("u3")]);
        Assert.Equal(["stopped u1", "started u3"], [await NextAsync(), await NextAsync()]);
        Assert.True(_ready);
    }

    [Fact]
    public async Task PodWhoseNamespaceComesLater_IsFoundThen()
    {
        var late = Path.Combine(Path.GetTempPath(), $"mesh-late-{Guid.NewGuid():N}");
        try
        {
            await _sets.Writer.WriteAsync([Pod("u1") with { NamespacePath = late }, Pod("u2")]);
            Assert.Equal("started u2", await NextAsync());
            File.CreateSymbolicLink(late, "/proc/self/ns/net");
            Assert.Equal("started u1", await NextAsync());
        }
        finally
        {
            File.Delete(late);
        }
    }

    /// <summary>Looked at before its rules are written: a pod that was there before this agent, also when its namespace is found later.</summary>
    [RootFact]
    public async Task OnlyPodsOfTheFirstSet_MayHoldRulesOfAnEarlierAgent()
    {
        using var network = NetworkNamespace.CreateUnnamed();
        await _sets.Writer.WriteAsync([NodeLayout.Pod("early"), Pod("named")]);
        await NextAsync();
        _node.PodProcess(60, 100, "early", network);
        Assert.Equal("started early", await NextAsync());
        _node.PodProcess(70, 100, "new", network);
        await _sets.Writer.WriteAsync([NodeLayout.Pod("early"), Pod("named"), NodeLayout.Pod("new")]);
        Assert.Equal("started new", await NextAsync());
        Assert.Equal([("named", false), ("early", true), ("new", false)], _holding);
    }

    [Fact]
    public async Task PodWithoutANamespace_IsToldOnce_WithTheReason()
    {
        await _sets.Writer.WriteAsync([Pod("u1") with { NamespacePath = "/nowhere" }]);
        Assert.Contains("/nowhere", await _missing.Reader.ReadAsync().AsTask().WaitAsync(Patience), StringComparison.Ordinal);
        await _sets.Writer.WriteAsync([Pod("u1") with { NamespacePath = "/nowhere" }, Pod("u2")]);
        await NextAsync();
        Assert.False(_missing.Reader.TryRead(out _));
    }

    [Fact]
    public async Task PodThatLeavesWhileItIsLookedFor_IsForgotten()
    {
        await _sets.Writer.WriteAsync([Pod("u1") with { NamespacePath = "/nowhere" }]);
        await _sets.Writer.WriteAsync([]);
        await _sets.Writer.WriteAsync([Pod("u2")]);
        Assert.Equal("started u2", await NextAsync());
        Assert.Equal(1, _pods.RunningCount);
    }

    [Fact]
    public async Task SameSetAgain_ChangesNothing()
    {
        await _sets.Writer.WriteAsync([Pod("u1")]);
        await _sets.Writer.WriteAsync([Pod("u1")]);
        await _sets.Writer.WriteAsync([Pod("u1"), Pod("u2")]);
        Assert.Equal(["started u1", "started u2"], [await NextAsync(), await NextAsync()]);
    }

    [Fact]
    public async Task SourceThatEnds_IsAFault_AndStopIsNone()
    {
        _sets.Writer.Complete();
        Assert.Contains("has ended", await _running.WaitAsync(Patience), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stop_EndsIt()
    {
        await _sets.Writer.WriteAsync([Pod("u1")]);
        await NextAsync();
        _source.Stop();
        Assert.Null(await _running.WaitAsync(Patience));
        Assert.Equal(1, _pods.RunningCount);
    }

    public async ValueTask DisposeAsync()
    {
        _source.Stop();
        await _running.WaitAsync(Patience);
        _pods.Dispose();
        _sink.Dispose();
        _node.Dispose();
    }

    async IAsyncEnumerable<IReadOnlyList<NodePod>> INodePods.WatchAsync([EnumeratorCancellation] CancellationToken stop)
    {
        await foreach (var set in _sets.Reader.ReadAllAsync(stop))
            yield return set;
    }

    void INodePods.NotFound(NodePod pod, string reason) => _missing.Writer.TryWrite($"{pod.Uid}: {reason}");

    Task<IPodProxy> IPodProxyFactory.StartAsync(string uid, PodInfo info, PodNetwork network)
    {
        _holding.Add((uid, network.MayHoldRules));
        return Task.FromResult<IPodProxy>(new Proxy());
    }

    void IPodEvents.PodStarted(string uid, PodInfo info) => _happened.Writer.TryWrite($"started {uid}");

    void IPodEvents.PodStopped(string uid, PodInfo info) => _happened.Writer.TryWrite($"stopped {uid}");

    void IPodEvents.PodStartFailed(string uid, PodInfo info, string reason) => _happened.Writer.TryWrite($"failed {uid}: {reason}");

    void IPodEvents.PodRepaired(string uid, PodInfo info) => _happened.Writer.TryWrite($"repaired {uid}");

    void IPodEvents.PodsChanged(int running, int pending, bool ready) => _ready = ready;

    private sealed class Proxy : IPodProxy
    {
        public Task StopAsync() => Task.CompletedTask;

        public Task DrainAsync(CancellationToken forced) => Task.CompletedTask;

        public Task RevokeAsync(Func<IReadOnlyList<X509Certificate2>, bool> isRevoked) => Task.CompletedTask;

        public Task<PodConnections> ListConnectionsAsync() => Task.FromResult(new PodConnections([], []));

        public Task<IReadOnlyList<IDecision>> FindOpenAsync(DecisionQuery query) => Task.FromResult<IReadOnlyList<IDecision>>([]);
    }
}

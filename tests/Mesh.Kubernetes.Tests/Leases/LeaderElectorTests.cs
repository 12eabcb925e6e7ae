using Mesh.Kubernetes.Leases;
using Mesh.Kubernetes.Requests;
using Mesh.Testing;
using Mesh.Testing.Kubernetes;
using Mesh.Testing.Kubernetes.Serving;

namespace Mesh.Kubernetes.Tests.Leases;

public sealed class LeaderElectorTests : IAsyncLifetime
{
    private readonly FakeApiServer _server = new();
    private readonly ManualTimeProvider _time = new();

    public Task InitializeAsync() => _server.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task OneLeads_TheOtherTakesOverOnlyAfterTheLeaseRanOut()
    {
        using var client = Clients.To(_server, _time);
        var a = Elector(client, "a");
        var b = Elector(client, "b");

        Assert.True(await a.TryAsync(CancellationToken.None));
        Assert.False(await b.TryAsync(CancellationToken.None));
        _time.Advance(TimeSpan.FromSeconds(14));
        Assert.False(await b.TryAsync(CancellationToken.None));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.True(await b.TryAsync(CancellationToken.None));

        // a finds out by looking, not by its own clock.
        Assert.False(await a.TryAsync(CancellationToken.None));
        Assert.Equal("b", a.Holder);
        var spec = _server.Get("coordination.k8s.io", "leases", "default", "leader")!["spec"]!;
        Assert.Equal(1, (int)spec["leaseTransitions"]!);
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", (string)spec["renewTime"]!);
    }

    [Fact]
    public async Task ClockThatIsWrong_DoesNotTakeALivingLease()
    {
        using var client = Clients.To(_server, _time);
        var skewed = new ManualTimeProvider(_time.GetUtcNow().AddHours(5));
        using var other = Clients.To(_server, skewed);
        Assert.True(await Elector(client, "a").TryAsync(CancellationToken.None));

        Assert.False(await Elector(other, "b").TryAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Leader_ThatCannotRenew_StopsLeadingBeforeOthersMay()
    {
        using var client = Clients.To(_server, _time);
        var elector = Elector(client, "a");
        var leading = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var stop = new CancellationTokenSource();
        var running = elector.RunAsync(async term =>
        {
            leading.TrySetResult();
            await Task.Delay(Timeout.Infinite, term).ContinueWith(_ => ended.TrySetResult(), TaskScheduler.Default);
        }, stop.Token);
        await leading.Task.WaitAsync(Clients.Patience);

        _server.Faults.Add(new Fault { Path = "leases", Status = 500, Body = "{}" });
        var started = _time.GetUtcNow();
        while (!ended.Task.IsCompleted && _time.GetUtcNow() - started < TimeSpan.FromMinutes(2))
        {
            await Task.WhenAny(_time.TimerIsSetAsync(TimeSpan.FromSeconds(3)), ended.Task).WaitAsync(Clients.Patience);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.True(ended.Task.IsCompleted);
        Assert.InRange(_time.GetUtcNow() - started, TimeSpan.FromSeconds(9), TimeSpan.FromSeconds(15));
        await stop.CancelAsync();
        await running.WaitAsync(Clients.Patience);
    }

    [Fact]
    public async Task Leader_WhoseLeaseAnotherHolds_StopsLeading()
    {
        using var client = Clients.To(_server, _time);
        var leading = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var stop = new CancellationTokenSource();
        var elector = Elector(client, "a");
        var running = elector.RunAsync(async term =>
        {
            leading.TrySetResult();
            await Task.Delay(Timeout.Infinite, term).ContinueWith(_ => ended.TrySetResult(), TaskScheduler.Default);
        }, stop.Token);
        await leading.Task.WaitAsync(Clients.Patience);

        // As after a partition: another one was sure that we are gone.
        _server.Put("""{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"leader","namespace":"default"},"spec":{"holderIdentity":"b","leaseDurationSeconds":15,"renewTime":"2026-01-01T00:00:00.000000Z"} }""");
        await _time.TimerIsSetAsync(TimeSpan.FromSeconds(3)).WaitAsync(Clients.Patience);
        _time.Advance(TimeSpan.FromSeconds(3));
        await ended.Task.WaitAsync(Clients.Patience);

        Assert.False(elector.IsLeader);
        Assert.Equal("b", elector.Holder);
        Assert.Equal("b", (string?)_server.Get("coordination.k8s.io", "leases", "default", "leader")!["spec"]!["holderIdentity"]);
        await stop.CancelAsync();
        await running.WaitAsync(Clients.Patience);
    }

    [Fact]
    public async Task Stopping_ReleasesTheLease_SoThatNobodyWaits()
    {
        using var client = Clients.To(_server);
        var elector = Elector(client, "a");
        var leading = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var stop = new CancellationTokenSource();
        var running = elector.RunAsync(async term =>
        {
            leading.TrySetResult();
            await Task.Delay(Timeout.Infinite, term);
        }, stop.Token);
        await leading.Task.WaitAsync(Clients.Patience);

        await stop.CancelAsync();
        await running.WaitAsync(Clients.Patience);

        Assert.Equal("", (string?)_server.Get("coordination.k8s.io", "leases", "default", "leader")!["spec"]!["holderIdentity"]);
        Assert.True(await Elector(client, "b").TryAsync(CancellationToken.None));
    }

    private static LeaderElector Elector(KubeClient client, string identity) => new(client, new LeaderElectorOptions { Namespace = "default", Name = "leader", Identity = identity });
}

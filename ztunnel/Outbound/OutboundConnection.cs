using System.Net;
using Mesh.Hbone;
using Mesh.Model;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Net;
using Mesh.Runtime.Decisions;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Outbound;

/// <summary>One connection captured from a pod, from its original destination to its report.</summary>
/// <remarks>
/// (1) where it wanted to go  (2) never back into ourselves  (3) who is calling  (4) the route, from one snapshot  (5) refuse, or tell that it is open
/// (6) open the upstream: tunnel, tunnel in a tunnel, or plain  (7) bytes until both ends have ended  (8) report, always, once.
/// Lives on one loop and owns the downstream socket.
/// </remarks>
internal sealed class OutboundConnection : TrackedConnection, ITransferOwner
{
    private static readonly IPEndPoint NotKnown = new(IPAddress.Any, 0);

    private readonly LoopSocket _downstream;
    private readonly PodLane _lane;
    private readonly ConnectionReport _report;
    private DuplexPump? _pump;
    private PlainPump? _plainPump;
    private string _protocol = "TCP";
    private string? _destination;

    /// <param name="target">Set: the client said itself where it wants to go (SOCKS5); otherwise the kernel knows.</param>
    public OutboundConnection(LoopSocket downstream, PodLane lane, IPEndPoint? target = null)
    {
        _downstream = downstream;
        _lane = lane;
        _report = new ConnectionReport(lane.Telemetry, isOutbound: true, downstream.RemoteEndPoint, target ?? NotKnown);
    }

    public override ConnectionSummary? Summary => _report.Summarize(_report.Destination.ToString(), null, _protocol);

    public override IDecision Decision => _report.Sofar();

    /// <summary>Through a tunnel this ends when bytes begin to move: an idle connection keeps nothing of what came before.</summary>
    public async Task RunAsync()
    {
        _lane.Outbound.Add(this);
        _lane.Telemetry.Metrics.SourceSockets.Value.Increment();
        try
        {
            if (await OpenAsync() is not { } upstream)
                Leave();
            else if (upstream.Tunnel is { } tunnel)
                Transfer(tunnel);
            else
                ((ITransferOwner)this).Ended(await TransferPlainAsync(upstream));
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            _report.Complete(new Failure(Ending.InternalError, $"internal error: {fault.Message}"));
            Leave();
            throw;
        }
    }

    /// <summary>(7) is over: (8).</summary>
    void ITransferOwner.Ended(TransferResult result)
    {
        try
        {
            _report.Complete(result);
        }
        finally
        {
            Leave();
        }
    }

    protected override void End(Ending ending)
    {
        _pump?.Cut(ending);
        _plainPump?.Cut(ending);
        if (_pump is not null || _plainPump is not null)
            return;
        // Nothing moves yet: the story ends at its next step.
        _report.Complete(TransferResult.Cut(ending));
        _downstream.Dispose();
    }

    private void Leave()
    {
        if (Tracker is null)
            return;
        _downstream.Dispose();
        _lane.Services.Load.Add(_destination, -1);
        _lane.Telemetry.Metrics.SourceSockets.Value.Decrement();
        _lane.Outbound.Remove(this);
    }

    /// <returns>Null: the story is over and reported.</returns>
    private async Task<OpenedUpstream?> OpenAsync()
    {
        var trace = TraceParent.New();
        _report.IsPartOf(trace);

        // (1)
        var named = ReferenceEquals(_report.Destination, NotKnown) ? _downstream.GetOriginalDestination() : _report.Destination;
        if (named is not { } original)
            return null;
        _report.Destination = original;

        // (2)
        if (IPAddress.IsLoopback(original.Address) && _lane.Settings.IsIllegalPort(original.Port))
        {
            _report.Complete(Failure.SelfCall);
            return null;
        }

        // (3)
        if (await _lane.Workload.WaitAsync() is not { } source)
        {
            _report.Complete(_lane.Workload.Missing);
            return null;
        }

        if (_lane.OnDemand is { } onDemand)
            await onDemand.EnsureDestinationAsync(_lane.Settings.Network, original.Address);

        // (4) One snapshot for the whole decision: a concurrent update must not mix two worlds.
        var mesh = _lane.Workload.Mesh;
        _report.Verdict = new ConnectionVerdict(mesh.Version);
        var route = OutboundRouter.Choose(
            mesh, _lane.Settings.Network, source, _report.Source.Address, new OriginalDestination(original), _lane.Services.Random, _lane.Services.Load);

        // (5)
        if (route is OutboundRoute.Refuse refusal)
        {
            _report.Complete(refusal.Failure);
            return null;
        }
        if (IsCut)
            return null;
        Describe(route, source);

        // (6)
        var upstream = await UpstreamOpener.OpenAsync(_lane, route, source, _report.Source, trace, Resolved);
        if (upstream.Connection is { } connection)
            _report.Through(connection, upstream.Reused);
        if (IsCut || upstream.Failure is not null)
        {
            upstream.Discard();
            if (upstream.Failure is { } failure)
                _report.Complete(failure);
            return null;
        }
        if (upstream.Redescribed is { } context)
            _report.Redescribe(context);
        _report.Connected();

        return upstream;
    }

    /// <summary>(7)</summary>
    private void Transfer(Tunnel tunnel)
    {
        tunnel.ForgetHeaders();
        _pump = new DuplexPump(_downstream, tunnel, socketIsClient: true, _report, _lane.Settings.Tunnel.HalfCloseDeadline, _lane.Budget);
        _pump.Start(this);
    }

    /// <summary>(7), where no byte passes through this process's memory.</summary>
    private ValueTask<TransferResult> TransferPlainAsync(OpenedUpstream upstream)
    {
        if (upstream.Near is { } near)
            return TransferNearAsync(upstream.Socket!, near);
        _plainPump = PlainPump.Start(_lane.Services.PlainPumps, _downstream, upstream.Socket!, _report, _lane.Settings.Tunnel.HalfCloseDeadline);
        return new ValueTask<TransferResult>(_plainPump.Completion);
    }

    private async ValueTask<TransferResult> TransferNearAsync(LoopSocket application, INearConnection inbound)
    {
        var meters = new NearTunnel.Meters(_report, inbound.Meter);
        _plainPump = PlainPump.Start(_lane.Services.PlainPumps, _downstream, application, meters, _lane.Settings.Tunnel.HalfCloseDeadline);
        inbound.Started(_plainPump.Cut);
        var result = await _plainPump.Completion;
        inbound.Complete(result);
        return result;
    }

    private void Describe(OutboundRoute route, Workload source)
    {
        var context = RouteContext.Of(route, source) with { Target = _report.Destination };
        _destination = route.Destination?.Uid;
        _lane.Services.Load.Add(_destination, 1);
        _protocol = RouteContext.Protocol(route);
        _report.Open(context);
    }

    private void Resolved(string hostname)
    {
        var source = _lane.Workload.Find();
        _lane.Telemetry.Metrics.OnDemandDns.With(RouteContext.OnDemandLabels(_lane.Telemetry.Series.PeerOf(source), source?.Identity, hostname)).Increment();
    }
}

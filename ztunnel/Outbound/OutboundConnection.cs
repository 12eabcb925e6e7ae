using System.Net;
using Mesh.Hbone;
using Mesh.Model;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Net;
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
internal sealed class OutboundConnection : ITrackedConnection
{
    private readonly LoopSocket _downstream;
    private readonly PodLane _lane;
    private readonly IPEndPoint? _target;
    private readonly ConnectionReport _report;
    private readonly TraceParent _trace = TraceParent.New();
    private Action<Ending>? _cutTransfer;
    private string? _destination;
    private bool _isCut;

    /// <param name="target">Set: the client said itself where it wants to go (SOCKS5); otherwise the kernel knows.</param>
    public OutboundConnection(LoopSocket downstream, PodLane lane, IPEndPoint? target = null)
    {
        _target = target;
        _downstream = downstream;
        _lane = lane;
        _report = new ConnectionReport(lane.Telemetry, isOutbound: true, downstream.RemoteEndPoint, downstream.LocalEndPoint) { TraceId = _trace.TraceId.ToHexString() };
    }

    public ConnectionSummary? Summary { get; private set; }

    /// <summary>Policy is enforced where the connection arrives.</summary>
    public ConnectionFacts? Facts => null;

    public async Task RunAsync()
    {
        var entry = _lane.Outbound.Add(this);
        _lane.Telemetry.Metrics.SourceSockets.Value.Increment();
        try
        {
            await StoryAsync();
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            _report.Complete(new Failure(Ending.InternalError, $"internal error: {fault.Message}"));
            throw;
        }
        finally
        {
            _downstream.Dispose();
            _lane.Services.Load.Add(_destination, -1);
            _lane.Telemetry.Metrics.SourceSockets.Value.Decrement();
            _lane.Outbound.Remove(entry);
        }
    }

    public void Cut(Ending ending)
    {
        if (_isCut)
            return;
        _isCut = true;
        if (_cutTransfer is { } cut)
        {
            cut(ending);
            return;
        }
        // Nothing moves yet: the story ends at its next step.
        _report.Complete(TransferResult.Cut(ending));
        _downstream.Dispose();
    }

    private async Task StoryAsync()
    {
        // (1)
        if ((_target ?? _downstream.GetOriginalDestination()) is not { } original)
            return;
        _report.Destination = original;

        // (2)
        if (IPAddress.IsLoopback(original.Address) && _lane.Settings.IsIllegalPort(original.Port))
        {
            _report.Complete(Failure.SelfCall);
            return;
        }

        // (3)
        if (await _lane.Workload.WaitAsync() is not { } source)
        {
            _report.Complete(_lane.Workload.Missing);
            return;
        }

        // (4) One snapshot for the whole decision: a concurrent update must not mix two worlds.
        var route = OutboundRouter.Choose(
            _lane.Workload.Mesh, _lane.Settings.Network, source, _report.Source.Address, new OriginalDestination(original), _lane.Services.Random, _lane.Services.Load);

        // (5)
        if (route is OutboundRoute.Refuse refusal)
        {
            _report.Complete(refusal.Failure);
            return;
        }
        if (_isCut)
            return;
        Describe(route, source);

        // (6)
        var upstream = await UpstreamOpener.OpenAsync(_lane, route, source, _report.Source, _trace, Resolved);
        if (_isCut || upstream.Failure is not null)
        {
            upstream.Discard();
            if (upstream.Failure is { } failure)
                _report.Complete(failure);
            return;
        }
        if (upstream.Redescribed is { } context)
            _report.Redescribe(context);
        _report.Connected();

        // (7) and (8)
        _report.Complete(await TransferAsync(upstream));
    }

    private async Task<TransferResult> TransferAsync(OpenedUpstream upstream)
    {
        if (upstream.Tunnel is { } tunnel)
        {
            var pump = new DuplexPump(_downstream, tunnel, socketIsClient: true, _report, _lane.Settings.Tunnel.HalfCloseDeadline, _lane.Budget);
            _cutTransfer = pump.Cut;
            return await pump.RunAsync();
        }
        var plain = PlainPump.Start(_lane.Services.PlainPumps, _downstream, upstream.Socket!, _report, _lane.Settings.Tunnel.HalfCloseDeadline);
        _cutTransfer = plain.Cut;
        return await plain.Completion;
    }

    private void Describe(OutboundRoute route, Workload source)
    {
        var context = RouteContext.Of(route, source);
        _destination = route.Destination?.Uid;
        _lane.Services.Load.Add(_destination, 1);
        Summary = RouteContext.Summary(route, _report.Source, _report.Destination);
        _report.Open(context);
    }

    private void Resolved(string hostname) => _lane.Telemetry.Metrics.OnDemandDns.With(
        RouteContext.OnDemandLabels(_lane.Telemetry.Series.PeerOf(_lane.Workload.Find()), hostname)).Increment();
}

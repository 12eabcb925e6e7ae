using System.Net;
using Mesh.Model;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Net;
using Mesh.Runtime.Decisions;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Inbound;

/// <summary>One plaintext connection that was captured on its way into a pod (15006).</summary>
/// <remarks>
/// (1) where it wanted to go  (2) never into our own ports  (3) which pod  (4) policy, with no identity at all  (5) the application  (6) bytes, in the kernel
/// (7) report, always, once. Whether plaintext is allowed is policy: STRICT arrives as a DENY of callers without identity.
/// </remarks>
internal sealed class PassthroughConnection : InboundConnection
{
    private readonly LoopSocket _downstream;
    private PlainPump? _pump;

    public PassthroughConnection(LoopSocket downstream, PodLane lane, InboundAuthorizer authorizer)
        : base(lane, authorizer, new ConnectionReport(lane.Telemetry, isOutbound: false, downstream.RemoteEndPoint, downstream.LocalEndPoint)) => _downstream = downstream;

    public override ConnectionSummary? Summary => Report.Summarize(null, null, "TCP");

    public async Task RunAsync()
    {
        Lane.Inbound.Add(this);
        Lane.Telemetry.Metrics.DestinationSockets.Value.Increment();
        try
        {
            await StoryAsync();
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            Report.Complete(new Failure(Ending.InternalError, $"internal error: {fault.Message}"));
            throw;
        }
        finally
        {
            _downstream.Dispose();
            Lane.Telemetry.Metrics.DestinationSockets.Value.Decrement();
            Lane.Inbound.Remove(this);
        }
    }

    protected override void End(Ending ending)
    {
        if (_pump is { } pump)
        {
            pump.Cut(ending);
            return;
        }
        Report.Complete(TransferResult.Cut(ending));
        _downstream.Dispose();
    }

    private async Task StoryAsync()
    {
        // (1)
        if (_downstream.GetOriginalDestination() is not { } target)
            return;
        Report.Destination = target;

        // (2)
        if (Lane.Settings.IsIllegalPort(target.Port))
        {
            Report.Complete(Failure.SelfCall);
            return;
        }

        // (3)
        if (await Lane.Workload.WaitAsync() is not { } local)
        {
            Report.Complete(Lane.Workload.Missing);
            return;
        }

        await Authorizer.PoliciesArriveAsync(Lane.Workload, local);

        // (4)
        var mesh = Lane.Workload.Mesh;
        var source = Report.Source;
        Report.Open(new ConnectionContext
        {
            Source = mesh.FindWorkload(Lane.Settings.Network, source.Address),
            Destination = local,
            DestinationIdentity = local.Identity,
            Service = InboundRouter.GuessService(mesh, local, null, target.Port),
            Hop = target,
        });
        IsUnderPolicy = true;
        var authorized = Authorizer.Authorize(mesh, local, target, Report.Facts, out var refusal, out var verdict);
        Report.Verdict = verdict;
        if (authorized is null)
        {
            Report.Complete(refusal);
            return;
        }

        // (5)
        var keep = source.Address.Equals(target.Address) ? null : source.Address;
        var result = await LoopConnector.ConnectAsync(Lane.Services.Loop, Lane.Sockets.Connect(authorized.Target, keep));
        if (result.Socket is not { } upstream)
        {
            Report.Complete(result.ToFailure("connection failed", target));
            return;
        }
        if (IsCut)
        {
            upstream.Dispose();
            return;
        }
        Report.Connected();

        // (6) and (7)
        _pump = PlainPump.Start(Lane.Services.PlainPumps, _downstream, upstream, Report, Lane.Settings.Tunnel.HalfCloseDeadline);
        Report.Complete(await _pump.Completion);
    }
}

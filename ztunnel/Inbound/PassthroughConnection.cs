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
internal sealed class PassthroughConnection : ITrackedConnection
{
    private readonly LoopSocket _downstream;
    private readonly PodLane _lane;
    private readonly InboundAuthorizer _authorizer;
    private readonly ConnectionReport _report;
    private PlainPump? _pump;
    private bool _isCut;

    public PassthroughConnection(LoopSocket downstream, PodLane lane, InboundAuthorizer authorizer)
    {
        _downstream = downstream;
        _lane = lane;
        _authorizer = authorizer;
        _report = new ConnectionReport(lane.Telemetry, isOutbound: false, downstream.RemoteEndPoint, downstream.LocalEndPoint);
    }

    public ConnectionSummary? Summary => _report.Summarize(null, null, "TCP");

    public IDecision Decision => _report.Sofar();

    public ConnectionFacts? Facts { get; private set; }

    public async Task RunAsync()
    {
        var entry = _lane.Inbound.Add(this);
        _lane.Telemetry.Metrics.DestinationSockets.Value.Increment();
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
            _lane.Telemetry.Metrics.DestinationSockets.Value.Decrement();
            _lane.Inbound.Remove(entry);
        }
    }

    public void Forbid(MeshSnapshot mesh, Workload destination, in PolicyDecision decision)
    {
        if (Facts is { } facts)
            _report.Verdict = new ConnectionVerdict(mesh.Version, decision.Outcome, decision.Policy, InboundAuthorizer.Explain(mesh, destination, facts));
        Cut(Ending.PolicyChanged);
    }

    public void Cut(Ending ending)
    {
        if (_isCut)
            return;
        _isCut = true;
        if (_pump is { } pump)
        {
            pump.Cut(ending);
            return;
        }
        _report.Complete(TransferResult.Cut(ending));
        _downstream.Dispose();
    }

    private async Task StoryAsync()
    {
        // (1)
        if (_downstream.GetOriginalDestination() is not { } target)
            return;
        _report.Destination = target;

        // (2)
        if (_lane.Settings.IsIllegalPort(target.Port))
        {
            _report.Complete(Failure.SelfCall);
            return;
        }

        // (3)
        if (await _lane.Workload.WaitAsync() is not { } local)
        {
            _report.Complete(_lane.Workload.Missing);
            return;
        }

        await _authorizer.PoliciesArriveAsync(_lane.Workload, local);

        // (4)
        var mesh = _lane.Workload.Mesh;
        var source = _report.Source;
        _report.Open(new ConnectionContext
        {
            Source = mesh.FindWorkload(_lane.Settings.Network, source.Address),
            Destination = local,
            DestinationIdentity = local.Identity,
            Service = InboundRouter.GuessService(mesh, local, null, target.Port),
            Hop = target,
        });
        var facts = new ConnectionFacts { SourceAddress = source.Address, DestinationAddress = target.Address, DestinationPort = (ushort)target.Port };
        Facts = facts;
        var authorized = _authorizer.Authorize(mesh, local, target, facts, out var refusal, out var verdict);
        _report.Verdict = verdict;
        if (authorized is null)
        {
            _report.Complete(refusal);
            return;
        }

        // (5)
        var keep = source.Address.Equals(target.Address) ? null : source.Address;
        var result = await LoopConnector.ConnectAsync(_lane.Services.Loop, _lane.Sockets.Connect(authorized.Target, keep));
        if (result.Socket is not { } upstream)
        {
            _report.Complete(result.ToFailure("connection failed", target));
            return;
        }
        if (_isCut)
        {
            upstream.Dispose();
            return;
        }
        _report.Connected();

        // (6) and (7)
        _pump = PlainPump.Start(_lane.Services.PlainPumps, _downstream, upstream, _report, _lane.Settings.Tunnel.HalfCloseDeadline);
        _report.Complete(await _pump.Completion);
    }
}

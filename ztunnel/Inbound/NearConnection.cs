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

/// <summary>One connection from a pod that this process serves, too: the inbound story without the tunnel around it.</summary>
/// <remarks>
/// (1) which pod  (2) both identities are certified, and the destination's is one that the caller accepts  (3) the authority is ours, and on which port
/// (4) policy  (5) the application. The bytes are moved by the outbound side; a later policy cuts them from here.
/// </remarks>
internal sealed class NearConnection : ITrackedConnection, INearConnection
{
    private const int HbonePort = 15008;

    private readonly PodLane _lane;
    private readonly InboundAuthorizer _authorizer;
    private readonly ConnectionReport _report;
    private NearRequest? _request; // until the application has taken it
    private LinkedListNode<ITrackedConnection>? _entry;
    private Action<Ending>? _cut;
    private bool _isCut;

    public NearConnection(PodLane lane, InboundAuthorizer authorizer, NearRequest request)
    {
        _lane = lane;
        _authorizer = authorizer;
        _request = request;
        _report = new ConnectionReport(lane.Telemetry, isOutbound: false, request.Client, new IPEndPoint(request.Address, HbonePort));
        _report.IsPartOf(request.Trace);
    }

    public ITransferMeter Meter => _report;

    public ConnectionSummary? Summary => _report.Summarize(null, Facts is { } facts ? new IPEndPoint(facts.DestinationAddress, facts.DestinationPort).ToString() : null, "TCP");

    public IDecision Decision => _report.Sofar();

    public ConnectionFacts? Facts { get; private set; }

    public async ValueTask<NearResult> OpenAsync()
    {
        _entry = _lane.Inbound.Add(this);
        try
        {
            var (socket, failure) = await TryOpenAsync(_request!);
            if (socket is null || _isCut)
            {
                socket?.Dispose();
                return Refuse(_isCut ? new Failure(Ending.PolicyChanged, TransferResult.Cut(Ending.PolicyChanged).Error!) : failure);
            }
            _request = null;
            _report.Connected();
            return new NearResult(socket, this, null);
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            Refuse(new Failure(Ending.InternalError, $"internal error: {fault.Message}"));
            throw;
        }
    }

    public void Started(Action<Ending> cut) => _cut = cut;

    public void Complete(TransferResult result)
    {
        _report.Complete(result);
        Leave();
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
        _report.Complete(TransferResult.Cut(ending));
        _cut?.Invoke(ending);
    }

    private async Task<(LoopSocket? Socket, Failure Failure)> TryOpenAsync(NearRequest request)
    {
        // (1)
        if (await _lane.Workload.WaitAsync() is not { } local)
            return (null, _lane.Workload.Missing);

        await _authorizer.PoliciesArriveAsync(_lane.Workload, local);

        // (2) What TLS would have proved: nobody gets here without what a handshake would have asked for.
        foreach (var identity in new[] { request.Source.Identity, local.Identity })
        {
            var own = await _lane.Certificates.GetAsync(identity);
            if (own.Certificate is null)
                return (null, new Failure(Ending.IdentityNotIssued, own.Error));
        }
        if (!request.Accepted.Contains(local.Identity))
            return (null, new Failure(Ending.PeerIdentityMismatch, $"identity verification error: {local.Identity} is none of {string.Join(", ", request.Accepted)}"));

        // (3) One snapshot for the whole decision.
        var mesh = _lane.Workload.Mesh;
        if (!Authority.TryParse(request.Authority, out var authority))
            return (null, new Failure(Ending.BadDestination, $"the authority \"{request.Authority}\" is not an address or host name with a port"));
        var decision = InboundRouter.Decide(mesh, local, request.Address, authority, _lane.Settings.IsIllegalPort, _lane.Settings.LocalhostAppTunnel);
        if (decision.Route is not { } route)
            return (null, decision.Failure);
        if (route.ProxyTarget is not null)
            return (null, new Failure(Ending.BadDestination, "an application that wants PROXY headers is reached through a tunnel only"));
        var caller = new InboundCaller(request.Source.Identity, null, request.Source, null);
        var facts = caller.Facts(request.Client.Address, route.Target);
        _report.Open(caller.Context(local, InboundRouter.GuessService(mesh, local, request.Service?.Hostname, route.Target.Port), route.Target, request.Authority) with { Route = "same_node" });
        _report.Destination = route.Target;

        // (4)
        Facts = facts;
        var authorized = _authorizer.Authorize(mesh, local, route.Target, facts, out var refusal, out var verdict);
        _report.Verdict = verdict;
        if (authorized is null)
            return (null, refusal);

        // (5)
        var keep = request.Client.Address.Equals(route.Target.Address) ? null : request.Client.Address;
        var result = await LoopConnector.ConnectAsync(_lane.Services.Loop, _lane.Sockets.Connect(authorized.Target, keep));
        return result.Socket is { } socket ? (socket, default) : (null, result.ToFailure("connection failed", route.Target));
    }

    /// <summary>The caller's side hears the kind of reason only, as it would have through a tunnel.</summary>
    private NearResult Refuse(Failure failure)
    {
        _report.Complete(failure);
        Leave();
        var reason = failure.Ending.Name();
        return new NearResult(null, null, failure.Ending is Ending.IdentityNotIssued or Ending.PeerIdentityMismatch
            ? failure
            : new Failure(Ending.TunnelRefused, $"refused on this node ({reason})", null, reason));
    }

    private void Leave()
    {
        if (_entry is { } entry)
            _lane.Inbound.Remove(entry);
        _entry = null;
    }
}

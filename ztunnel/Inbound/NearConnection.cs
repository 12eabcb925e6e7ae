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
internal sealed class NearConnection : InboundConnection, INearConnection
{
    private const int HbonePort = 15008;

    private NearRequest? _request; // until the application has taken it
    private Action<Ending>? _cut;

    public NearConnection(PodLane lane, InboundAuthorizer authorizer, NearRequest request)
        : base(lane, authorizer, new ConnectionReport(lane.Telemetry, isOutbound: false, request.Client, new IPEndPoint(request.Address, HbonePort)))
    {
        _request = request;
        Report.IsPartOf(request.Trace);
    }

    public ITransferMeter Meter => Report;

    public override ConnectionSummary? Summary => Report.Summarize(null, IsUnderPolicy ? Report.Destination.ToString() : null, "TCP");

    public async ValueTask<NearResult> OpenAsync()
    {
        Lane.Inbound.Add(this);
        try
        {
            var (socket, failure) = await TryOpenAsync(_request!);
            if (socket is null || IsCut)
            {
                socket?.Dispose();
                return Refuse(IsCut ? new Failure(Ending.PolicyChanged, TransferResult.Cut(Ending.PolicyChanged).Error!) : failure);
            }
            _request = null;
            Report.Connected();
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
        Report.Complete(result);
        Leave();
    }

    protected override void End(Ending ending)
    {
        Report.Complete(TransferResult.Cut(ending));
        _cut?.Invoke(ending);
    }

    private async Task<(LoopSocket? Socket, Failure Failure)> TryOpenAsync(NearRequest request)
    {
        // (1)
        if (await Lane.Workload.WaitAsync() is not { } local)
            return (null, Lane.Workload.Missing);

        await Authorizer.PoliciesArriveAsync(Lane.Workload, local);

        // (2) What TLS would have proved: nobody gets here without what a handshake would have asked for.
        foreach (var identity in new[] { request.Source.Identity, local.Identity })
        {
            var own = await Lane.Certificates.GetAsync(identity);
            if (own.Certificate is null)
                return (null, new Failure(Ending.IdentityNotIssued, own.Error));
        }
        if (!request.Accepted.Contains(local.Identity))
            return (null, new Failure(Ending.PeerIdentityMismatch, $"identity verification error: {local.Identity} is none of {string.Join(", ", request.Accepted)}"));

        // (3) One snapshot for the whole decision.
        var mesh = Lane.Workload.Mesh;
        if (!Authority.TryParse(request.Authority, out var authority))
            return (null, new Failure(Ending.BadDestination, $"the authority \"{request.Authority}\" is not an address or host name with a port"));
        var decision = InboundRouter.Decide(mesh, local, request.Address, authority, Lane.Settings.IsIllegalPort, Lane.Settings.LocalhostAppTunnel);
        if (decision.Route is not { } route)
            return (null, decision.Failure);
        if (route.ProxyTarget is not null)
            return (null, new Failure(Ending.BadDestination, "an application that wants PROXY headers is reached through a tunnel only"));
        var caller = new InboundCaller(request.Source.Identity, null, request.Source, null);
        Report.Open(caller.Context(local, InboundRouter.GuessService(mesh, local, request.Service?.Hostname, route.Target.Port), route.Target, request.Authority) with { Route = "same_node" });
        Report.Destination = route.Target;

        // (4)
        IsUnderPolicy = true;
        var authorized = Authorizer.Authorize(mesh, local, route.Target, Report.Facts, out var refusal, out var verdict);
        Report.Verdict = verdict;
        if (authorized is null)
            return (null, refusal);

        // (5)
        var keep = request.Client.Address.Equals(route.Target.Address) ? null : request.Client.Address;
        var result = await LoopConnector.ConnectAsync(Lane.Services.Loop, Lane.Sockets.Connect(authorized.Target, keep));
        return result.Socket is { } socket ? (socket, default) : (null, result.ToFailure("connection failed", route.Target));
    }

    /// <summary>The caller's side hears the kind of reason only, as it would have through a tunnel.</summary>
    private NearResult Refuse(Failure failure)
    {
        Report.Complete(failure);
        Leave();
        var reason = failure.Ending.Name();
        return new NearResult(null, null, failure.Ending is Ending.IdentityNotIssued or Ending.PeerIdentityMismatch
            ? failure
            : new Failure(Ending.TunnelRefused, $"refused on this node ({reason})", null, reason));
    }

    private void Leave() => Lane.Inbound.Remove(this);
}

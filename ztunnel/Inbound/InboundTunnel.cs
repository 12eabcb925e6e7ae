using System.Net;
using System.Net.Sockets;
using Mesh.Hbone;
using Mesh.Http2;
using Mesh.Model;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Net;
using Mesh.Runtime.Decisions;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Inbound;

/// <summary>One CONNECT that arrived for a pod, from its headers to its report.</summary>
/// <remarks>
/// Everything that can fail happens before the 200: (1) it is a CONNECT with an authority  (2) which pod  (3) the authority is ours, and on which port
/// (4) who calls, and for whom  (5) policy  (6) the application takes the connection. Then (7) 200, (8) bytes until both ends have ended, (9) report, always, once.
/// Lives on the loop of its tunnel connection.
/// </remarks>
internal sealed class InboundTunnel : ITrackedConnection
{
    private readonly IPEndPoint _client;
    private TunnelRequest? _request; // until it is answered: its headers weigh more than everything else here
    private readonly PodLane _lane;
    private readonly InboundAuthorizer _authorizer;
    private readonly ConnectionReport _report;
    private DuplexPump? _pump;
    private string? _forwardedHost;
    private bool _isCut;

    public InboundTunnel(TunnelRequest request, PodLane lane, InboundAuthorizer authorizer)
    {
        _request = request;
        _client = request.RemoteEndPoint;
        _lane = lane;
        _authorizer = authorizer;
        var trace = TraceParent.TryParse(request.Headers.Get(HboneHeaders.TraceParent), out var given) ? given : TraceParent.New();
        _report = new ConnectionReport(lane.Telemetry, isOutbound: false, request.RemoteEndPoint, request.LocalEndPoint);
        _report.IsPartOf(trace);
    }

    public ConnectionSummary? Summary => _report.Summarize(_forwardedHost, Facts is { } facts ? new IPEndPoint(facts.DestinationAddress, facts.DestinationPort).ToString() : null, "HBONE");

    public IDecision Decision => _report.Sofar();

    public ConnectionFacts? Facts { get; private set; }

    public async Task RunAsync()
    {
        var entry = _lane.Inbound.Add(this);
        try
        {
            // Steps (1) to (7) are over when bytes begin to move: an idle connection keeps nothing of them.
            if (await OpenAsync() is { } application)
            {
                using (application)
                    _report.Complete(await _pump!.RunAsync());
            }
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            Refuse(503, new Failure(Ending.InternalError, $"internal error: {fault.Message}"));
            throw;
        }
        finally
        {
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
            pump.Cut(ending);
        else
            Refuse(503, new Failure(ending, TransferResult.Cut(ending).Error!));
    }

    /// <returns>The application's socket, with the pump ready; null: the story is over and reported.</returns>
    private async Task<LoopSocket?> OpenAsync()
    {
        var request = _request!;
        // (1)
        if (request.Method != "CONNECT")
        {
            Refuse(400, new Failure(Ending.BadDestination, $"method {request.Method} is not CONNECT"));
            return null;
        }
        if (!Authority.TryParse(request.Authority, out var authority))
        {
            Refuse(400, new Failure(Ending.BadDestination, $"the authority \"{request.Authority}\" is not an address or host name with a port"));
            return null;
        }

        // (2)
        if (await _lane.Workload.WaitAsync() is not { } local)
        {
            Refuse(503, _lane.Workload.Missing);
            return null;
        }

        if (_lane.OnDemand is { } onDemand && authority.Address is { } named)
            await onDemand.EnsureDestinationAsync(_lane.Settings.Network, named);

        await _authorizer.PoliciesArriveAsync(_lane.Workload, local);

        // (3) One snapshot for the whole decision.
        var mesh = _lane.Workload.Mesh;
        var decision = InboundRouter.Decide(
            mesh, local, request.LocalEndPoint.Address, authority, _lane.Settings.IsIllegalPort, _lane.Settings.LocalhostAppTunnel);
        if (decision.Route is not { } route)
        {
            Refuse(decision.Status, decision.Failure);
            return null;
        }

        // (4)
        var caller = InboundCaller.Of(request, mesh, local, _lane.Settings);
        _forwardedHost = HboneHeaders.ForwardedHost(request.Headers);
        var facts = caller.Facts(request.RemoteEndPoint.Address, route.Target);
        _report.Open(caller.Context(local, InboundRouter.GuessService(mesh, local, _forwardedHost, route.Target.Port), request.LocalEndPoint, request.Authority!));

        _report.Destination = route.Target;

        // (5) From here on a policy that changes is asked again about this connection.
        Facts = facts;
        var authorized = _authorizer.Authorize(mesh, local, route.Target, facts, out var refusal, out var verdict);
        _report.Verdict = verdict;
        if (authorized is null)
        {
            Refuse(401, refusal);
            return null;
        }

        // (6)
        var (socket, failure) = await ConnectAsync(authorized, route);
        if (socket is null)
        {
            Refuse(503, failure);
            return null;
        }

        // (7)
        if (Forward(request, socket, local, route, caller))
            return socket;
        socket.Dispose();
        return null;
    }

    private async Task<(LoopSocket? Socket, Failure Failure)> ConnectAsync(AuthorizedTunnel authorized, InboundRoute route)
    {
        var target = authorized.Target;
        var options = route.ToLoopback
            ? _lane.Sockets.Connect(new IPEndPoint(target.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Loopback : IPAddress.IPv6Loopback, target.Port))
            : _lane.Sockets.Connect(target, SourceToKeep(target));
        var result = await LoopConnector.ConnectAsync(_lane.Services.Loop, options);
        return result.Socket is { } socket ? (socket, default) : (null, result.ToFailure("connection failed", target));
    }

    /// <summary>The application sees the client's address, unless client and application share one: the kernel would take that for its own connection.</summary>
    private IPAddress? SourceToKeep(IPEndPoint target) => _client.Address.Equals(target.Address) ? null : _client.Address;

    /// <returns>False: nobody is there any more, and that is reported.</returns>
    private bool Forward(TunnelRequest request, LoopSocket socket, Workload local, InboundRoute route, InboundCaller caller)
    {
        if (_isCut)
            return false;
        _report.Connected();
        _request = null;
        if (request.IsAborted
            || request.Accept(_lane.Settings.Baggage ? [new HeaderField(HboneHeaders.Baggage, WorkloadBaggage.Of(local).ToString())] : null) is not { } tunnel)
        {
            _report.Complete(new Failure(Ending.PeerReset, "the client gave up before the application had taken the connection"));
            return false;
        }
        tunnel.ForgetHeaders();
        if (route.ProxyTarget is { } proxyTarget && socket.TrySend(ProxyHeader.Write(_client, proxyTarget, caller.Peer), out _) == IoStatus.Failed)
        {
            tunnel.Reset(Http2ErrorCode.CANCEL);
            _report.Complete(new Failure(Ending.UpstreamRefused, $"the application closed the connection before the PROXY header: {socket.LastErrorText}"));
            return false;
        }
        _pump = new DuplexPump(socket, tunnel, socketIsClient: false, _report, _lane.Settings.Tunnel.HalfCloseDeadline, _lane.Budget);
        return true;
    }

    private void Refuse(int status, Failure failure)
    {
        _report.Complete(failure);
        if (_request is not { } request)
            return;
        _request = null;
        request.Refuse(status, failure.Ending);
    }
}

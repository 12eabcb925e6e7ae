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
internal sealed class InboundTunnel : InboundConnection, ITransferOwner
{
    private TunnelRequest? _request; // until it is answered: its headers weigh more than everything else here
    private DuplexPump? _pump;

    public InboundTunnel(TunnelRequest request, PodLane lane, InboundAuthorizer authorizer)
        : base(lane, authorizer, new ConnectionReport(lane.Telemetry, isOutbound: false, request.RemoteEndPoint, request.LocalEndPoint))
    {
        _request = request;
        var trace = TraceParent.TryParse(request.Headers.Get(HboneHeaders.TraceParent), out var given) ? given : TraceParent.New();
        Report.IsPartOf(trace);
    }

    public override ConnectionSummary? Summary => Report.Summarize(Report.ForwardedHost, IsUnderPolicy ? Report.Destination.ToString() : null, "HBONE");

    /// <summary>Steps (1) to (7). They are over when bytes begin to move: an idle connection keeps nothing of them.</summary>
    public async Task RunAsync()
    {
        Lane.Inbound.Add(this);
        try
        {
            if (await OpenAsync())
                _pump!.Start(this);
            else
                Leave();
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            Refuse(503, new Failure(Ending.InternalError, $"internal error: {fault.Message}"));
            Leave();
            throw;
        }
    }

    /// <summary>(8) is over: (9).</summary>
    void ITransferOwner.Ended(TransferResult result)
    {
        try
        {
            Report.Complete(result);
        }
        finally
        {
            Leave();
        }
    }

    protected override void End(Ending ending)
    {
        if (_pump is { } pump)
            pump.Cut(ending);
        else
            Refuse(503, new Failure(ending, TransferResult.Cut(ending).Error!));
    }

    private void Leave()
    {
        _pump?.Socket.Dispose();
        Lane.Inbound.Remove(this);
    }

    /// <returns>The pump is ready; false: the story is over and reported.</returns>
    private async Task<bool> OpenAsync()
    {
        var request = _request!;
        // (1)
        if (request.Method != "CONNECT")
        {
            Refuse(400, new Failure(Ending.BadDestination, $"method {request.Method} is not CONNECT"));
            return false;
        }
        if (!Authority.TryParse(request.Authority, out var authority))
        {
            Refuse(400, new Failure(Ending.BadDestination, $"the authority \"{request.Authority}\" is not an address or host name with a port"));
            return false;
        }

        // (2)
        if (await Lane.Workload.WaitAsync() is not { } local)
        {
            Refuse(503, Lane.Workload.Missing);
            return false;
        }

        if (Lane.OnDemand is { } onDemand && authority.Address is { } named)
            await onDemand.EnsureDestinationAsync(Lane.Settings.Network, named);

        await Authorizer.PoliciesArriveAsync(Lane.Workload, local);

        // (3) One snapshot for the whole decision.
        var mesh = Lane.Workload.Mesh;
        var decision = InboundRouter.Decide(
            mesh, local, request.LocalEndPoint.Address, authority, Lane.Settings.IsIllegalPort, Lane.Settings.LocalhostAppTunnel);
        if (decision.Route is not { } route)
        {
            Refuse(decision.Status, decision.Failure);
            return false;
        }

        // (4)
        var caller = InboundCaller.Of(request, mesh, local, Lane.Settings);
        var forwardedHost = HboneHeaders.ForwardedHost(request.Headers);
        Report.Open(caller.Context(local, InboundRouter.GuessService(mesh, local, forwardedHost, route.Target.Port), request.LocalEndPoint, request.Authority!) with
        {
            ForwardedHost = forwardedHost,
            Target = route.Target,
        });

        // (5)
        IsUnderPolicy = true;
        var authorized = Authorizer.Authorize(mesh, local, route.Target, Report.Facts, out var refusal, out var verdict);
        Report.Verdict = verdict;
        if (authorized is null)
        {
            Refuse(401, refusal);
            return false;
        }

        // (6)
        var (socket, failure) = await ConnectAsync(authorized, route);
        if (socket is null)
        {
            Refuse(503, failure);
            return false;
        }

        // (7)
        if (Forward(request, socket, local, route, caller))
            return true;
        socket.Dispose();
        return false;
    }

    private async Task<(LoopSocket? Socket, Failure Failure)> ConnectAsync(AuthorizedTunnel authorized, InboundRoute route)
    {
        var target = authorized.Target;
        var options = route.ToLoopback
            ? Lane.Sockets.Connect(new IPEndPoint(target.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Loopback : IPAddress.IPv6Loopback, target.Port))
            : Lane.Sockets.Connect(target, SourceToKeep(target));
        var result = await LoopConnector.ConnectAsync(Lane.Services.Loop, options);
        return result.Socket is { } socket ? (socket, default) : (null, result.ToFailure("connection failed", target));
    }

    /// <summary>The application sees the client's address, unless client and application share one: the kernel would take that for its own connection.</summary>
    private IPAddress? SourceToKeep(IPEndPoint target) => Report.Source.Address.Equals(target.Address) ? null : Report.Source.Address;

    /// <returns>False: nobody is there any more, and that is reported.</returns>
    private bool Forward(TunnelRequest request, LoopSocket socket, Workload local, InboundRoute route, InboundCaller caller)
    {
        if (IsCut)
            return false;
        Report.Connected();
        _request = null;
        if (request.IsAborted
            || request.Accept(Lane.Settings.Baggage ? [new HeaderField(HboneHeaders.Baggage, WorkloadBaggage.Of(local).ToString())] : null) is not { } tunnel)
        {
            Report.Complete(new Failure(Ending.PeerReset, "the client gave up before the application had taken the connection"));
            return false;
        }
        tunnel.ForgetHeaders();
        if (route.ProxyTarget is { } proxyTarget && !SendWhole(socket, ProxyHeader.Write(Report.Source, proxyTarget, caller.Peer)))
        {
            tunnel.Reset(Http2ErrorCode.CANCEL);
            Report.Complete(new Failure(Ending.UpstreamRefused, $"the application closed the connection before the PROXY header: {socket.LastErrorText}"));
            return false;
        }
        _pump = new DuplexPump(socket, tunnel, socketIsClient: false, Report, Lane.Settings.Tunnel.HalfCloseDeadline, Lane.Budget);
        return true;
    }

    /// <summary>A new socket's kernel takes a header at once. One that does not is no better than a broken one: half a header would be read with the client's bytes.</summary>
    private static bool SendWhole(LoopSocket socket, byte[] header) => socket.TrySend(header, out var sent) == IoStatus.Done && sent == header.Length;

    private void Refuse(int status, Failure failure)
    {
        Report.Complete(failure);
        if (_request is not { } request)
            return;
        _request = null;
        request.Refuse(status, failure.Ending);
    }
}

using System.Net;
using Mesh.Hbone;
using Mesh.Model;
using Mesh.Net;
using Mesh.Runtime.Logging;
using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Transport;

/// <summary>One loop's entrance: accepts tunnels on the HBONE port and hands each CONNECT stream to the dispatcher. Everything here runs on the loop.</summary>
internal sealed class HboneEntrance : ITunnelAcceptor, IDisposable
{
    private readonly EventLoop _loop;
    private readonly MeshIdentity _identity;
    private readonly InboundDispatcher _dispatcher;
    private readonly Func<RouteTable> _routes;
    private readonly Log _log;
    private readonly CancellationToken _forced;
    private readonly HboneAcceptor _acceptor;
    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private LoopListener? _listener;
    private int _sockets;
    private bool _closing;

    public HboneEntrance(EventLoop loop, MeshIdentity identity, InboundDispatcher dispatcher, Func<RouteTable> routes, HboneOptions options, Log log, CancellationToken forced)
    {
        _loop = loop;
        _identity = identity;
        _dispatcher = dispatcher;
        _routes = routes;
        _log = log;
        _forced = forced;
        _acceptor = new HboneAcceptor(loop, identity.Tls, this, options);
    }

    /// <summary>Standing tunnel connections of clients; on the loop.</summary>
    public int ConnectionCount => _acceptor.Connections.Count;

    /// <returns>The address in use.</returns>
    public IPEndPoint Listen(IPEndPoint endPoint)
    {
        _listener = LoopListener.Listen(_loop, new ListenOptions { EndPoint = endPoint, ReusePort = true }, Accept);
        return _listener.LocalEndPoint;
    }

    /// <summary>Completes after <see cref="Drain"/> when the last tunnel connection has ended.</summary>
    public Task Empty => _empty.Task;

    /// <summary>Standing connections are told to go elsewhere; new ones are still taken, because who makes them may not know yet.</summary>
    public void Announce()
    {
        foreach (var connection in _acceptor.Connections.ToArray())
            connection.Drain();
    }

    /// <summary>No new connections; running tunnels finish.</summary>
    public void Drain()
    {
        _listener?.Dispose();
        _acceptor.Drain();
        _closing = true;
        CheckEmpty();
    }

    public void Dispose()
    {
        _listener?.Dispose();
        _acceptor.Dispose();
    }

    ValueTask<CertificateAnswer> ITunnelAcceptor.GetCertificateAsync() => _identity.GetAsync(_identity.Own);

    void ITunnelAcceptor.OnTunnel(TunnelRequest request)
    {
        // 1. Only CONNECT, only an address; the client is whom its certificate names.
        if (request.Method != "CONNECT")
        {
            Refuse(request, 404, Ending.ProtocolFailure, $"method {request.Method}");
            return;
        }

        if (!IPEndPoint.TryParse(request.Authority ?? string.Empty, out var authority) || authority.Port == 0)
        {
            Refuse(request, 400, Ending.BadDestination, $"authority \"{request.Authority}\" is not an address with a port");
            return;
        }

        var address = authority.Address.IsIPv4MappedToIPv6 ? authority.Address.MapToIPv4() : authority.Address;
        var original = new OriginalDestination(address, authority.Port);
        if (_routes().Find(original) is null)
        {
            Refuse(request, 503, Ending.UnknownWorkload, $"{original} is not an address that this waypoint serves");
            return;
        }

        // 2. Accepted: from now on it is a connection like any other.
        var client = HboneHeaders.ForwardedFor(request.Headers) ?? request.RemoteEndPoint;
        var caller = new Caller(request.PeerIdentity?.ToString(), client) { Labels = ClientLabels.Of(request.Headers.Get(HboneHeaders.Baggage)) };
        var trace = request.Headers.Get(HboneHeaders.TraceParent);
        if (request.Accept() is not { } tunnel)
            return;
        var connection = new TunnelConnection(TunnelPipe.Attach(tunnel), original, caller, trace, _loop.Time);
        _loop.Spawn(() => _dispatcher.ServeAsync(connection, _forced));
    }

    void ITunnelAcceptor.OnSocketClosed()
    {
        _sockets--;
        CheckEmpty();
    }

    void ITunnelAcceptor.OnHandshakeFailed(IPEndPoint remote, IPEndPoint local, Ending ending, string error) =>
        _log.Event(LogSeverity.Warn, "tunnel refused").Address("src.addr", remote).Text("ending", ending.Name()).Text("error", error).Write();

    private void Accept(LoopSocket socket)
    {
        _sockets++;
        _acceptor.Accept(socket);
    }

    private void CheckEmpty()
    {
        if (_closing && _sockets == 0)
            _empty.TrySetResult();
    }

    private void Refuse(TunnelRequest request, int status, Ending ending, string why)
    {
        _log.Event(LogSeverity.Warn, "tunnel refused")
            .Address("src.addr", request.RemoteEndPoint)
            .Text("src.identity", request.PeerIdentity?.ToString())
            .Text("ending", ending.Name())
            .Text("error", why)
            .Number("status", status)
            .Write();
        request.Refuse(status, ending);
    }
}

using System.Net;
using System.Net.Sockets;
using Mesh.Hbone;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Net;
using Mesh.Testing;

namespace Mesh.Ztunnel.Tests.Forwarding;

/// <summary>
/// A loop with a real tunnel on it: an HBONE client and server over loopback TCP with mutual TLS. The test plays the client's peer
/// through <see cref="Client"/>; the accepted end is what a pump is put on.
/// </summary>
internal sealed class TunnelPair : IAsyncDisposable, ITunnelAcceptor
{
    private readonly TestCertificateAuthority _authority = new();
    private readonly TaskCompletionSource<TunnelRequest> _request = new();
    private LoopListener? _listener;
    private HboneAcceptor? _acceptor;
    private HbonePool? _pool;

    private TunnelPair() => Loop = EventLoop.Start("tunnel pair");

    public EventLoop Loop { get; }

    /// <summary>The end that the test drives.</summary>
    public Tunnel Client { get; private set; } = null!;

    /// <summary>The end for the pump.</summary>
    public Tunnel Server { get; private set; } = null!;

    private static SpiffeId Id(string account) => new("cluster.local", "ns1", account);

    public static async Task<TunnelPair> OpenAsync()
    {
        var pair = new TunnelPair();
        await pair.Loop.InvokeAsync(async () =>
        {
            await pair.ConnectAsync();
            return true;
        });
        return pair;
    }

    /// <summary>Two ends of a loopback connection: one on the loop, one blocking for the test.</summary>
    public static async Task<(LoopSocket Proxy, Socket Application)> ApplicationAsync(EventLoop loop)
    {
        var accepted = new TaskCompletionSource<LoopSocket>(TaskCreationOptions.RunContinuationsAsynchronously);
        var listener = await loop.InvokeAsync(() =>
            LoopListener.Listen(loop, new ListenOptions { EndPoint = new IPEndPoint(IPAddress.Loopback, 0) }, accepted.SetResult));
        var application = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await application.ConnectAsync(listener.LocalEndPoint);
        var proxy = await accepted.Task;
        await loop.InvokeAsync(() =>
        {
            listener.Dispose();
            return true;
        });
        return (proxy, application);
    }

    public ValueTask<CertificateAnswer> GetCertificateAsync() => new(new CertificateAnswer(_authority.Issue(Id("server")), string.Empty));

    public void OnTunnel(TunnelRequest request) => _request.TrySetResult(request);

    public void OnHandshakeFailed(IPEndPoint remote, IPEndPoint local, Ending ending, string error) => _request.TrySetException(new InvalidOperationException(error));

    public async ValueTask DisposeAsync()
    {
        await Loop.InvokeAsync(() =>
        {
            _listener?.Dispose();
            _pool?.Dispose();
            _acceptor?.Dispose();
            return true;
        });
        Loop.Dispose();
    }

    /// <summary>The tunnel's connection breaks without a word.</summary>
    public void LoseConnection() => Client.Connection.Abort("lost");

    private async Task ConnectAsync()
    {
        var tls = new MeshTls();
        var options = new HboneOptions();
        _acceptor = new HboneAcceptor(Loop, tls, this, options);
        _listener = LoopListener.Listen(Loop, new ListenOptions { EndPoint = new IPEndPoint(IPAddress.Loopback, 0) }, _acceptor.Accept);
        var dialer = new HboneDialer(Loop, tls, new Certificates(_authority), remote => new ConnectOptions { Remote = remote }, options);
        _pool = new HbonePool(Loop, dialer, options);
        var target = new TunnelTarget(Id("client"), [Id("server")], _listener.LocalEndPoint, null);
        var opening = _pool.OpenAsync(target, Mesh.Http2.HeaderList.Connect("127.0.0.1:80")).AsTask();
        var request = await _request.Task;
        Server = request.Accept()!;
        var result = await opening;
        Client = result.Tunnel ?? throw new InvalidOperationException(result.Error);
    }

    private sealed class Certificates(TestCertificateAuthority authority) : ITunnelCertificates
    {
        public ValueTask<CertificateAnswer> GetAsync(SpiffeId identity) => new(new CertificateAnswer(authority.Issue(identity), string.Empty));
    }
}

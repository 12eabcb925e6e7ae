using System.Net;
using Mesh.Http2;
using Mesh.Identity.Certificates;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Net;
using Mesh.Testing;

namespace Mesh.Hbone.Tests;

/// <summary>A client loop with a pool and a server loop with an acceptor, joined by real sockets and real TLS on loopback.</summary>
internal sealed class TunnelRig : ITunnelAcceptor, ITunnelCertificates, IDisposable
{
    public static readonly SpiffeId Client = SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/client");
    public static readonly SpiffeId Server = SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/server");

    private readonly TestCertificateAuthority _authority = new();
    private readonly Dictionary<SpiffeId, WorkloadCertificate> _issued = [];
    private readonly List<Exception> _faults = [];
    private LoopListener? _listener;

    public TunnelRig(HboneOptions? options = null, HboneOptions? serverOptions = null)
    {
        Options = options ?? new HboneOptions();
        ClientLoop = EventLoop.Start("client", new EventLoopOptions { UnhandledException = Fault });
        ServerLoop = EventLoop.Start("server", new EventLoopOptions { UnhandledException = Fault });
        Tls = new MeshTls();
        Pool = new HbonePool(ClientLoop, new HboneDialer(ClientLoop, Tls, this, remote => new ConnectOptions { Remote = remote }, Options), Options);
        Acceptor = new HboneAcceptor(ServerLoop, Tls, this, serverOptions ?? Options);
        Address = OnServer(() =>
        {
            _listener = LoopListener.Listen(ServerLoop, new ListenOptions { EndPoint = new IPEndPoint(IPAddress.Loopback, 0) }, Acceptor.Accept);
            return _listener.LocalEndPoint;
        });
    }

    public HboneOptions Options { get; }

    public EventLoop ClientLoop { get; }

    public EventLoop ServerLoop { get; }

    public MeshTls Tls { get; }

    public HbonePool Pool { get; }

    public HboneAcceptor Acceptor { get; }

    public IPEndPoint Address { get; }

    public string? CertificateError { get; set; }

    /// <summary>What the server does with a CONNECT; on its loop. Default: accept and echo.</summary>
    public Action<TunnelRequest> OnRequest { get; set; } = request => EchoHandler.Start(request.Accept()!);

    public TaskCompletionSource<(Ending Ending, string Error)> HandshakeFailed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IReadOnlyList<Exception> Faults => _faults;

    public TunnelTarget Target(SpiffeId? source = null, IReadOnlyList<SpiffeId>? accepted = null, string client = "198.18.1.11") =>
        new(source ?? Client, accepted ?? [Server], Address, IPAddress.Parse(client));

    public static HeaderList Connect() =>
        HboneHeaders.Connect("198.18.1.21:8080", Baggage.Empty, new IPEndPoint(IPAddress.Parse("198.18.1.11"), 40000), null, TraceParent.New());

    /// <summary>Opens a tunnel and attaches a recorder, all in one turn of the client's loop.</summary>
    public Task<(TunnelResult Result, Recorder? Recorder)> OpenAsync(TunnelTarget? target = null)
    {
        var done = new TaskCompletionSource<(TunnelResult, Recorder?)>(TaskCreationOptions.RunContinuationsAsynchronously);
        ClientLoop.Spawn(async () =>
        {
            var result = await Pool.OpenAsync(target ?? Target(), Connect());
            done.SetResult((result, result.Tunnel is { } tunnel ? new Recorder(tunnel) : null));
        });
        return done.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    /// <summary>A tunnel without an owner yet.</summary>
    public Task<Tunnel> OpenRawAsync() => ClientLoop.InvokeAsync(async () => (await Pool.OpenAsync(Target(), Connect())).Tunnel!);

    public T OnClient<T>(Func<T> f) => ClientLoop.InvokeAsync(f).WaitAsync(TimeSpan.FromSeconds(30)).GetAwaiter().GetResult();

    public T OnServer<T>(Func<T> f) => ServerLoop.InvokeAsync(f).WaitAsync(TimeSpan.FromSeconds(30)).GetAwaiter().GetResult();

    public ValueTask<CertificateAnswer> GetAsync(SpiffeId identity) => new(CertificateError is { } error ? new CertificateAnswer(null, error) : new CertificateAnswer(Issue(identity), string.Empty));

    public ValueTask<CertificateAnswer> GetCertificateAsync() => new(new CertificateAnswer(Issue(Server), string.Empty));

    public void OnTunnel(TunnelRequest request) => OnRequest(request);

    public void OnHandshakeFailed(IPEndPoint remote, IPEndPoint local, Ending ending, string error) => HandshakeFailed.TrySetResult((ending, error));

    public void Dispose()
    {
        OnClient(() => { Pool.Dispose(); return 0; });
        OnServer(() => { _listener!.Dispose(); Acceptor.Dispose(); return 0; });
        ClientLoop.Dispose();
        ServerLoop.Dispose();
        _authority.Dispose();
        Assert.Empty(_faults);
    }

    private WorkloadCertificate Issue(SpiffeId identity)
    {
        lock (_issued)
            return _issued.TryGetValue(identity, out var known) ? known : _issued[identity] = _authority.Issue(identity);
    }

    private void Fault(Exception exception, string what)
    {
        lock (_faults)
            _faults.Add(new InvalidOperationException(what, exception));
    }
}

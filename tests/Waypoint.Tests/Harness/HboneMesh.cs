using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Google.Protobuf;
using Mesh.Hbone;
using Mesh.Http2;
using Mesh.Identity.Certificates;
using Mesh.Identity.Fetching;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Net;
using Mesh.Runtime.Logging;
using Mesh.Testing;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Tests.Balancing;
using Mesh.Waypoint.Transport;

namespace Mesh.Waypoint.Tests.Harness;

/// <summary>The destination's node proxy: accepts CONNECT with a pod's certificate and carries it to the pod's port, or refuses as told.</summary>
internal sealed class TestNodeProxy : ITunnelAcceptor, IAsyncDisposable
{
    private readonly EventLoop _loop;
    private readonly WorkloadCertificate _certificate;
    private readonly HboneAcceptor _acceptor;
    private LoopListener? _listener;

    private TestNodeProxy(EventLoop loop, WorkloadCertificate certificate)
    {
        _loop = loop;
        _certificate = certificate;
        _acceptor = new HboneAcceptor(loop, new MeshTls(), this, new HboneOptions());
    }

    public IPEndPoint Address { get; private set; } = null!;

    /// <summary>0: carry it; else answer this.</summary>
    public int Refusal { get; set; }

    public ConcurrentQueue<HeaderList> Connects { get; } = new();

    public SpiffeId? LastPeer { get; private set; }

    public static async Task<TestNodeProxy> StartAsync(WorkloadCertificate certificate, IPEndPoint? at = null)
    {
        var loop = EventLoop.Start("node");
        var proxy = new TestNodeProxy(loop, certificate);
        proxy.Address = await loop.InvokeAsync(() =>
        {
            proxy._listener = LoopListener.Listen(loop, new ListenOptions { EndPoint = at ?? new IPEndPoint(IPAddress.Loopback, 0) }, proxy._acceptor.Accept);
            return proxy._listener.LocalEndPoint;
        });
        return proxy;
    }

    public ValueTask<CertificateAnswer> GetCertificateAsync() => ValueTask.FromResult(new CertificateAnswer(_certificate, string.Empty));

    public void OnTunnel(TunnelRequest request)
    {
        Connects.Enqueue(request.Headers);
        LastPeer = request.PeerIdentity;
        if (Refusal != 0)
            request.Refuse(Refusal, Ending.DeniedByPolicy);
        else
            _loop.Spawn(() => CarryAsync(request));
    }

    public void OnHandshakeFailed(IPEndPoint remote, IPEndPoint local, Ending ending, string error)
    {
    }

    /// <summary>Every standing tunnel breaks at once.</summary>
    public Task BreakAsync() => _loop.InvokeAsync(() =>
    {
        _acceptor.AbortAll("the test says so");
        return true;
    });

    private bool _disposed;

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        await _loop.InvokeAsync(() =>
        {
            _listener?.Dispose();
            _acceptor.Dispose();
            return true;
        });
        _loop.Dispose();
    }

    private static async Task CarryAsync(TunnelRequest request)
    {
        using var pod = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await pod.ConnectAsync(IPEndPoint.Parse(request.Authority!));
        }
        catch (SocketException)
        {
            request.Refuse(503, Ending.UpstreamRefused);
            return;
        }

        if (request.Accept() is not { } tunnel)
            return;
        await using var inside = new TunnelStream(TunnelPipe.Attach(tunnel));
        await using var outside = new NetworkStream(pod);
        var up = CopyAsync(inside, outside, () => pod.Shutdown(SocketShutdown.Send));
        var down = CopyAsync(outside, inside, inside.EndWrite);
        await Task.WhenAll(up, down);
    }

    private static async Task CopyAsync(Stream from, Stream to, Action end)
    {
        try
        {
            await from.CopyToAsync(to);
            end();
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            await from.DisposeAsync();
            await to.DisposeAsync();
        }
    }
}

/// <summary>A waypoint on a real HBONE port with its own identity, and a client with another that opens tunnels to it.</summary>
internal sealed partial class HboneMesh : IAsyncDisposable
{
    public const string WaypointIdentity = "spiffe://cluster.local/ns/shop/sa/waypoint";
    public const string OrdersIdentity = "spiffe://cluster.local/ns/shop/sa/orders";

    private readonly TestCertificateAuthority _ca = new();
    private readonly EventLoop _loop = EventLoop.Start("waypoint");
    private readonly EventLoop _clientLoop = EventLoop.Start("client");
    private readonly LogSink _log = new(Stream.Null, LogFormat.Text, LogFilter.Default, TimeProvider.System);
    private readonly List<TestNodeProxy> _nodes = [];
    private readonly Dictionary<string, IPEndPoint> _hboneAddresses = [];
    private CertificateCache? _certificates;
    private HboneEntrance? _entrance;
    private HbonePool? _clientPool;
    private IPEndPoint? _entry;

    public TestWaypoint Waypoint { get; private set; } = null!;

    public IReadOnlyList<TestNodeProxy> Nodes => _nodes;

    /// <summary>One endpoint per port of an application on loopback, each behind a node proxy of its own.</summary>
    public static async Task<HboneMesh> StartAsync(IReadOnlyList<int> ports, Action<V1.ServicePort>? port = null, Action<V1.Cluster>? cluster = null, WaypointLimits? options = null)
    {
        var mesh = new HboneMesh();
        mesh._certificates = new CertificateCache(new Source(mesh._ca));
        var identity = new MeshIdentity(SpiffeId.Parse(WaypointIdentity), mesh._certificates, new MeshTls(), TimeProvider.System);
        var facts = new TunnelFacts
        {
            InstanceAddress = IPAddress.Loopback,
            Baggage = new Baggage { Namespace = "shop", ServiceName = "waypoint" },
            HboneAddress = e => mesh._hboneAddresses[e.Text],
        };
        mesh.Waypoint = new TestWaypoint(new HboneUpstreamDialer([mesh._loop], identity, facts, new HboneOptions(), new PlainDialer([mesh._loop])), limits: options);
        await mesh.Waypoint.StartAsync();
        var made = new V1.Cluster { Name = OneService.ClusterName, Namespace = "shop", Hostname = "orders.shop.svc.cluster.local", Port = 80, Protocol = V1.Protocol.Http1 };
        foreach (var p in ports)
        {
            var node = await TestNodeProxy.StartAsync(mesh._ca.Issue(OrdersIdentity));
            mesh._nodes.Add(node);
            var endpoint = Clusters.Endpoint(mesh._nodes.Count, p);
            endpoint.Address = ByteString.CopyFrom(127, 0, 0, 1);
            endpoint.Hbone = true;
            endpoint.Identities.Add(OrdersIdentity);
            mesh._hboneAddresses[$"127.0.0.1:{p}"] = node.Address;
            made.Endpoints.Add(endpoint);
        }

        cluster?.Invoke(made);
        var servicePort = new V1.ServicePort { Port = 80, Protocol = V1.Protocol.Auto, DefaultCluster = OneService.ClusterName };
        port?.Invoke(servicePort);
        Assert.Empty(mesh.Waypoint.Configuration.ApplyClusters([(made.Name, made)], []));
        Assert.Empty(mesh.Waypoint.Configuration.ApplyServices(
            [("shop/orders", new V1.Service { Name = "orders", Namespace = "shop", Hostname = "orders.shop.svc.cluster.local", Addresses = { ByteString.CopyFrom(OneService.Vip.Address.GetAddressBytes()) }, Ports = { servicePort } })], []));
        mesh._entry = await mesh._loop.InvokeAsync(() =>
        {
            mesh._entrance = new HboneEntrance(mesh._loop, identity, mesh.Waypoint.DataPath.Inbound, () => mesh.Waypoint.Configuration.Routes, (options ?? WaypointLimits.Default).Hbone, mesh._log.For("inbound"), CancellationToken.None);
            return mesh._entrance.Listen(new IPEndPoint(IPAddress.Loopback, 0));
        });
        var client = mesh._ca.Issue(Requests.Storefront);
        await mesh._clientLoop.InvokeAsync(() => mesh._clientPool = new HbonePool(
            mesh._clientLoop,
            new HboneDialer(mesh._clientLoop, new MeshTls(), new Fixed(client), remote => new ConnectOptions { Remote = remote }, new HboneOptions()),
            new HboneOptions()));
        return mesh;
    }

    /// <summary>A tunnel through the waypoint to any authority, as the client's node proxy would open it.</summary>
    public async Task<(Stream? Stream, int? Status)> TunnelAsync(string authority)
    {
        var answer = new TaskCompletionSource<(Stream?, int?)>(TaskCreationOptions.RunContinuationsAsynchronously);
        var target = new TunnelTarget(SpiffeId.Parse(Requests.Storefront), [SpiffeId.Parse(WaypointIdentity)], _entry!, null);
        var headers = HboneHeaders.Connect(authority, Baggage.Empty, IPEndPoint.Parse("198.18.7.7:4711"), null, TraceParent.New());
        _clientLoop.Spawn(async () =>
        {
            var result = await _clientPool!.OpenAsync(target, headers);
            answer.SetResult((result.IsOpen ? new TunnelStream(TunnelPipe.Attach(result.Tunnel)) : null, result.Status));
        });
        return await answer.Task.WaitAsync(TimeSpan.FromSeconds(20));
    }

    public HttpClient Client(Version? version = null) => new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, _) => (await TunnelAsync(OneService.Vip.ToString())).Stream ?? throw new IOException("the waypoint refused the tunnel"),
        AllowAutoRedirect = false,
    })
    {
        BaseAddress = new Uri("http://anything.example"),
        DefaultRequestVersion = version ?? HttpVersion.Version11,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Timeout = TimeSpan.FromSeconds(30),
    };

    public async ValueTask DisposeAsync()
    {
        _plain.ForEach(l => l.Stop());
        await _clientLoop.InvokeAsync(() =>
        {
            _clientPool?.Dispose();
            return true;
        });
        await Waypoint.DisposeAsync();
        await _loop.InvokeAsync(() =>
        {
            _entrance?.Dispose();
            return true;
        });
        foreach (var node in _nodes)
            await node.DisposeAsync();
        _clientLoop.Dispose();
        _loop.Dispose();
        _certificates?.Dispose();
        _log.Dispose();
        _ca.Dispose();
    }

    private sealed class Fixed(WorkloadCertificate certificate) : ITunnelCertificates
    {
        public ValueTask<CertificateAnswer> GetAsync(SpiffeId identity) => ValueTask.FromResult(new CertificateAnswer(certificate, string.Empty));
    }

    private sealed class Source(TestCertificateAuthority ca) : ICertificateSource
    {
        public Task<WorkloadCertificate> FetchAsync(SpiffeId id, CancellationToken cancellation) => Task.FromResult(ca.Issue(id));
    }
}

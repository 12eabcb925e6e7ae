using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Mesh.Hbone;
using Mesh.Http2;
using Mesh.Identity.Certificates;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Net;
using Mesh.Runtime;
using Mesh.Runtime.Decisions;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;
using Mesh.Testing;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Inbound;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Outbound;
using Mesh.Ztunnel.Pods;
using Mesh.Ztunnel.Settings;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Tests.Stories;

/// <summary>
/// Both stories in one process, on one loop, without privileges: a client pod, a server pod with an application, and a waypoint, each an
/// address of 127.0.0.0/8. The captured connection is handed in with its destination; everything after that is the real thing.
/// </summary>
internal sealed class StoryRig : IAsyncDisposable, ITunnelCertificates
{
    private static int s_next = Environment.ProcessId;

    private readonly TestCertificateAuthority _authority = new();
    private readonly MemoryStream _log = new();
    private readonly LogSink _sink;
    private readonly MeshTls _tls;
    private readonly HboneOptions _hbone = new();
    private readonly List<IDisposable> _open = [];
    private readonly TcpListener _application;
    private readonly List<TcpListener> _others = [];
    private readonly Dictionary<SpiffeId, WorkloadCertificate> _issued = [];
    private LocalPods? _near;
    private HboneServer _server = null!;
    private HboneServer _clientServer = null!;

    private StoryRig(TimeProvider time)
    {
        _tls = new MeshTls(new MeshTlsSettings { Revocation = Revoked });
        // Own addresses per rig: tests of other processes use port 15008, too.
        var number = Interlocked.Increment(ref s_next);
        Prefix = $"127.{(number % 250) + 1}.{(number / 250 % 250) + 1}";
        Loop = EventLoop.Start("stories", new EventLoopOptions { Time = time });
        Assert.True(LogFilter.TryParse("info,access=debug", out var filter, out _));
        _sink = new LogSink(_log, LogFormat.Json, filter, TimeProvider.System);
        _application = new TcpListener(IPAddress.Parse(ServerAddress), 0);
        _application.Start();
        Client = Pod("client", $"{Prefix}.1");
        Server = Pod("server", ServerAddress);
        Waypoint = Pod("waypoint", $"{Prefix}.10");
    }

    public string Prefix { get; }

    public EventLoop Loop { get; }

    public MeshState Mesh { get; } = new("node");

    public Workload Client { get; }

    public Workload Server { get; }

    public Workload Waypoint { get; }

    /// <summary>What both pods read as the revocation list.</summary>
    public RevocationList Revoked { get; } = new();

    /// <summary>Set: the authority refuses with this.</summary>
    public string? AuthorityError { get; set; }

    public PodLane ClientLane { get; private set; } = null!;

    public PodLane ServerLane { get; private set; } = null!;

    public IPEndPoint Application => (IPEndPoint)_application.LocalEndpoint;

    private string ServerAddress => $"{Prefix}.2";

    public static Task<StoryRig> StartAsync(Func<StoryRig, MeshUpdate>? world = null, params (string Name, string Value)[] environment) => StartAsync(TimeProvider.System, world, environment);

    public static async Task<StoryRig> StartAsync(TimeProvider time, Func<StoryRig, MeshUpdate>? world = null, params (string Name, string Value)[] environment)
    {
        var rig = new StoryRig(time);
        rig.Mesh.Apply(world?.Invoke(rig) ?? rig.World());
        _ = EchoAsync(rig._application);
        await rig.Loop.InvokeAsync(() =>
        {
            rig.Wire(environment);
            return true;
        });
        return rig;
    }

    public MeshUpdate World(params AuthorizationPolicy[] policies)
    {
        var update = new MeshUpdate();
        update.Workloads.AddRange([Client, Server, Waypoint]);
        update.Policies.AddRange(policies.Select(p => KeyValuePair.Create(p.QualifiedName, p)));
        return update;
    }

    public static AuthorizationPolicy Allow(string principal) => Policy("allow", PolicyAction.Allow, new PolicyMatch { Principals = [StringMatch.Exact(principal)] });

    public static AuthorizationPolicy Deny(int port) => Policy("deny", PolicyAction.Deny, new PolicyMatch { DestinationPorts = [(ushort)port] });

    public static AuthorizationPolicy Policy(string name, PolicyAction action, PolicyMatch match, PolicyScope scope = PolicyScope.Namespace) => new()
    {
        Name = name,
        Namespace = "ns1",
        Scope = scope,
        Action = action,
        Rules = [new PolicyRule([new PolicyClause([match])])],
    };

    /// <summary>Nothing is logged from now on: the lines are kept in memory.</summary>
    public void Mute()
    {
        Assert.True(LogFilter.TryParse("off", out var filter, out _));
        _sink.Filter = filter;
    }

    /// <summary>One more application that says what it hears.</summary>
    public IPEndPoint Echo(IPAddress address)
    {
        var listener = new TcpListener(address, 0);
        listener.Start(4096);
        _others.Add(listener);
        _ = EchoAsync(listener);
        return (IPEndPoint)listener.LocalEndpoint;
    }

    /// <summary>A program in the client pod connects; what comes back is its own socket.</summary>
    public async Task<Socket> ConnectAsync(IPEndPoint? target = null)
    {
        var (captured, application) = await Forwarding.TunnelPair.ApplicationAsync(Loop);
        Loop.Spawn(() => new OutboundConnection(captured, ClientLane, target ?? Application).RunAsync());
        return application;
    }

    /// <summary>A tunnel to the server pod with the identity of somebody, and headers of choice.</summary>
    public Task<TunnelResult> ConnectRawAsync(Workload caller, params HeaderField[] extra) => Loop.InvokeAsync(async () =>
    {
        var dialer = new HboneDialer(Loop, _tls, this, remote => new ConnectOptions { Remote = remote }, _hbone);
        var pool = new HbonePool(Loop, dialer, _hbone);
        _open.Add(pool);
        var headers = HeaderList.Connect(Application.ToString());
        foreach (var field in extra)
            headers.Add(field);
        return await pool.OpenAsync(new TunnelTarget(caller.Identity, [Server.Identity], new IPEndPoint(IPAddress.Parse(ServerAddress), 15008), null), headers);
    });

    public static async Task<string> ExchangeAsync(Socket socket, string text)
    {
        await socket.SendAsync(Encoding.ASCII.GetBytes(text));
        var buffer = new byte[text.Length];
        var read = 0;
        while (read < buffer.Length && await socket.ReceiveAsync(buffer.AsMemory(read)) is var count and > 0)
            read += count;
        return Encoding.ASCII.GetString(buffer, 0, read);
    }

    /// <summary>The closing or refusing line of a direction; waits for it.</summary>
    public async Task<JsonElement> LineAsync(string direction)
    {
        while (true)
        {
            _sink.Flush();
            string[] lines;
            lock (_log)
                lines = Encoding.UTF8.GetString(_log.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            foreach (var line in lines)
            {
                var json = JsonDocument.Parse(line).RootElement;
                if (json.TryGetProperty("direction", out var d) && d.GetString() == direction && json.GetProperty("message").GetString() != "connection opened")
                    return json;
            }
            await Task.Delay(10);
        }
    }

    public ValueTask<CertificateAnswer> GetAsync(SpiffeId identity) => new(AuthorityError is { } error
        ? new CertificateAnswer(null, $"identity_not_issued: {error}")
        : new CertificateAnswer(Issue(identity), string.Empty));

    /// <summary>The certificate of that workload is taken back, and both pods hear of it.</summary>
    public Task RevokeAsync(Workload workload) => Loop.InvokeAsync(() =>
    {
        Assert.Null(Revoked.Replace(_authority.Revoke(Issue(workload.Identity).Leaf)));
        PeerRevocation.End(ClientLane, _clientServer, Revoked.IsRevokedNow);
        PeerRevocation.End(ServerLane, _server, Revoked.IsRevokedNow);
        return true;
    });

    private WorkloadCertificate Issue(SpiffeId identity) => _issued.TryGetValue(identity, out var issued) ? issued : _issued[identity] = _authority.Issue(identity);

    public async ValueTask DisposeAsync()
    {
        _application.Stop();
        _others.ForEach(l => l.Stop());
        await Loop.InvokeAsync(() =>
        {
            ClientLane.CutAll(Ending.Drained);
            ServerLane.CutAll(Ending.Drained);
            foreach (var item in _open)
                item.Dispose();
            return true;
        });
        Loop.Dispose();
        _sink.Dispose();
    }

    private static Workload Pod(string name, string address) => new()
    {
        Uid = name,
        Name = name,
        Namespace = "ns1",
        ServiceAccount = name,
        Addresses = [IPAddress.Parse(address)],
        Protocol = TunnelProtocol.Hbone,
        Node = "node",
    };

    private void Wire((string Name, string Value)[] environment)
    {
        var values = environment.ToDictionary(e => e.Name, e => e.Value, StringComparer.Ordinal);
        values["PROXY_MODE"] = "dedicated";
        values["PROXY_WORKLOAD_INFO"] = "ns1/x/x";
        var settings = SettingsReader.Read(new EnvironmentSettings(values));
        var telemetry = new ConnectionTelemetry(Loop, new ZtunnelMetrics(new MetricRegistry(), "test"), new AccessLog(_sink, TimeProvider.System), new DecisionRing<DecisionRecord>(64));
        var services = new LoopServices(Loop, telemetry);
        _near = settings.SameNodeFastPath ? new LocalPods() : null;
        ClientLane = Lane(services, settings, Client);
        ServerLane = Lane(services, settings, Server);
        _server = new HboneServer(ServerLane, new InboundAuthorizer(_sink, false, settings.UnknownPolicy), _tls, _hbone);
        _clientServer = new HboneServer(ClientLane, new InboundAuthorizer(_sink, false, settings.UnknownPolicy), _tls, _hbone);
        _near?.Join(ServerLane.Workload.Info, new Dictionary<EventLoop, INearPod> { [Loop] = new NearPod(ServerLane, new InboundAuthorizer(_sink, false, settings.UnknownPolicy)) });
        _open.AddRange([_clientServer, _server, ClientLane.Pool, ServerLane.Pool]);
        _open.Add(LoopListener.Listen(Loop, new ListenOptions { EndPoint = new IPEndPoint(IPAddress.Parse(ServerAddress), 15008), Backlog = 4096 }, _server.Accept));
    }

    private PodLane Lane(LoopServices services, ZtunnelSettings settings, Workload workload)
    {
        var sockets = new PodSockets(null, settings, isTransparent: false);
        var dialer = new HboneDialer(Loop, _tls, this, remote => sockets.Connect(remote), _hbone);
        var local = new LocalWorkload(Mesh, new PodInfo(workload.Name, workload.Namespace, workload.ServiceAccount), TimeProvider.System);
        return new PodLane(services, local, sockets, settings, this, dialer, new HbonePool(Loop, dialer, _hbone), new ByteBudget(0).Join(), near: _near);
    }

    private static async Task EchoAsync(TcpListener listener)
    {
        try
        {
            while (true)
            {
                var socket = await listener.AcceptSocketAsync();
                _ = Task.Run(async () =>
                {
                    using (socket)
                    {
                        var buffer = new byte[4096];
                        while (await socket.ReceiveAsync(buffer) is var count and > 0)
                            await socket.SendAsync(buffer.AsMemory(0, count));
                    }
                });
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The rig is taken down.
        }
    }
}

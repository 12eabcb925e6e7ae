using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Mesh.Hbone;
using Mesh.Identity.Certificates;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Net;
using Mesh.Runtime;
using Mesh.Runtime.Decisions;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;
using Mesh.Testing;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Outbound;
using Mesh.Ztunnel.Pods;
using Mesh.Ztunnel.Settings;
using Mesh.Ztunnel.Telemetry;
using OriginalDestination = Mesh.Waypoint.Routing.OriginalDestination;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>
/// Our node agent in front, on sockets of its own: it takes each client's connection as captured from the client's pod, finds the waypoint in what our
/// control plane tells of the scenario's documents, and opens the tunnel with the certificate of that pod.
/// </summary>
internal sealed class ZtunnelEntry : IEntry, ITunnelCertificates
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly EventLoop _loop = EventLoop.Start("node agent");
    private readonly LogSink _log = new(Stream.Null, LogFormat.Text, LogFilter.Default, TimeProvider.System);
    private readonly MeshState _mesh = new("node-a");
    private readonly HboneOptions _hbone = new();
    private readonly MeshTls _tls = new();
    private readonly ByteBudget _budget = new(0);
    private readonly ConcurrentDictionary<SpiffeId, WorkloadCertificate> _certificates = new();
    private readonly ConcurrentDictionary<string, Task<Pod>> _pods = new();
    private readonly TestCertificateAuthority _ca;
    private readonly ZtunnelSettings _settings;
    private readonly LoopServices _services;

    private ZtunnelEntry(TestCertificateAuthority ca)
    {
        _ca = ca;
        _settings = SettingsReader.Read(new EnvironmentSettings(new Dictionary<string, string>(StringComparer.Ordinal) { ["PROXY_MODE"] = "dedicated", ["PROXY_WORKLOAD_INFO"] = "shop/x/x" }));
        _services = new LoopServices(_loop, new ConnectionTelemetry(_loop, new ZtunnelMetrics(new MetricRegistry(), "test"), new AccessLog(_log, TimeProvider.System), new DecisionRing<DecisionRecord>(64)));
    }

    /// <param name="world">What the control plane tells node agents, with the waypoint's address as it is here.</param>
    public static IEntry Start(TestCertificateAuthority ca, MeshUpdate world)
    {
        var entry = new ZtunnelEntry(ca);
        entry._mesh.Apply(world);
        return entry;
    }

    public async Task<Stream> ConnectAsync(OriginalDestination destination, string identity)
    {
        var pod = await _pods.GetOrAdd(identity, StartPodAsync);
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        client.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        pod.Destinations[((IPEndPoint)client.LocalEndPoint!).Port] = new IPEndPoint(destination.Address, destination.Port);
        await client.ConnectAsync(pod.Listener.LocalEndPoint).WaitAsync(Patience);
        return new NetworkStream(client, ownsSocket: true);
    }

    public ValueTask<CertificateAnswer> GetAsync(SpiffeId identity) => ValueTask.FromResult(new CertificateAnswer(_certificates.GetOrAdd(identity, i => _ca.Issue(i)), string.Empty));

    public async ValueTask DisposeAsync()
    {
        foreach (var starting in _pods.Values)
        {
            var pod = await starting;
            await _loop.InvokeAsync(() =>
            {
                pod.Listener.Dispose();
                pod.Lane.CutAll(Ending.Drained);
                pod.Lane.Pool.Dispose();
                return true;
            });
        }

        _loop.Dispose();
        _log.Dispose();
    }

    // A pod of its own per identity, as the node agent has one lane per pod.
    private Task<Pod> StartPodAsync(string identity)
    {
        var id = SpiffeId.Parse(identity);
        var update = new MeshUpdate();
        update.Workloads.Add(new Workload
        {
            Uid = $"Kubernetes//Pod/{id.Namespace}/client-of-{id.ServiceAccount}",
            Name = $"client-of-{id.ServiceAccount}",
            Namespace = id.Namespace,
            ServiceAccount = id.ServiceAccount,
            TrustDomain = id.TrustDomain,
            Addresses = [],
            Protocol = TunnelProtocol.Hbone,
            Node = "node-a",
        });
        _mesh.Apply(update);
        return _loop.InvokeAsync(() =>
        {
            var sockets = new PodSockets(null, _settings, isTransparent: false);
            var dialer = new HboneDialer(_loop, _tls, this, remote => sockets.Connect(remote), _hbone);
            var local = new LocalWorkload(_mesh, new PodInfo($"client-of-{id.ServiceAccount}", id.Namespace, id.ServiceAccount), TimeProvider.System);
            var lane = new PodLane(_services, local, sockets, _settings, this, dialer, new HbonePool(_loop, dialer, _hbone), _budget.Join());
            Pod pod = null!;
            var listener = LoopListener.Listen(_loop, new ListenOptions { EndPoint = new IPEndPoint(IPAddress.Loopback, 0), Backlog = 1024 }, captured =>
            {
                // The kernel would tell where a captured connection wanted to go; here its client has said so before.
                if (pod.Destinations.TryRemove(captured.RemoteEndPoint.Port, out var target))
                    _loop.Spawn(() => new OutboundConnection(captured, lane, target).RunAsync());
                else
                    captured.Dispose();
            });
            return pod = new Pod(lane, listener);
        });
    }

    private sealed record Pod(PodLane Lane, LoopListener Listener)
    {
        public ConcurrentDictionary<int, IPEndPoint> Destinations { get; } = new();
    }
}

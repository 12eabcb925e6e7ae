using System.Net;
using Mesh.IstiodLite.Admin;
using Mesh.IstiodLite.Admission;
using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Discovery;
using Mesh.IstiodLite.Push;
using Mesh.IstiodLite.Registration;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources;
using Mesh.IstiodLite.Sources.Files;
using Mesh.IstiodLite.Telemetry;
using Mesh.IstiodLite.Translation;
using Mesh.Runtime;
using Mesh.Runtime.Admin;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;

namespace Mesh.IstiodLite;

/// <summary>The composition root: the only file that knows every folder. Nothing is bound before <see cref="StartAsync"/>.</summary>
internal sealed class ControlPlaneHost : IAsyncDisposable
{
    private readonly Log? _log;
    private readonly TimeProvider _time;
    private readonly Reconciler _reconciler;
    private readonly IMeshSource _source;
    private readonly ClusterPlane? _cluster;
    private readonly Health _health;
    private readonly MetricRegistry _registry;
    private readonly InstanceRegistry _instances;
    private readonly CertificateAuthority _authority;
    private readonly IDisposable? _authoritySource;
    private readonly ServerCertificate _serverCertificate;
    private readonly DiscoveryListener _listener;
    private readonly AdmissionListener? _admission;
    private readonly AdminServer _admin;
    private readonly AdminPort _adminPort;
    private readonly ReadinessTask _configurationReady;
    private readonly ReadinessTask _listenerReady;

    /// <param name="cluster">Null: a folder is served.</param>
    public ControlPlaneHost(ControlPlaneOptions options, ClusterPlane? cluster, MeshSettings settings, LogSink? sink, TimeProvider time)
    {
        _cluster = cluster;
        _log = sink?.For("istiod");
        _time = time;
        var readiness = new Readiness(time, _log);
        _configurationReady = readiness.Register("configuration");
        _listenerReady = readiness.Register("discovery");

        _registry = new MetricRegistry();
        ProcessMetrics.Register(_registry);
        var metrics = new ControlPlaneMetrics(_registry);

        var health = _health = new Health(readiness, _registry, sink?.For("health"));

        if (cluster is not null)
        {
            _authority = cluster.Authority;
        }
        else if (options.AuthorityFolder is { } folder)
        {
            var plugged = new PluggedInAuthority(folder, options.StateFolder, time, health, sink?.For("ca"));
            _authority = new CertificateAuthority(plugged.Material, options.Lifetimes, time);
            plugged.Keep(_authority);
            _authoritySource = plugged;
        }
        else
        {
            var root = new SelfMadeRoot(options.StateFolder, settings.TrustDomain, options.Lifetimes, time, health, sink?.For("ca"));
            _authority = new CertificateAuthority(root.Material, options.Lifetimes, time);
            root.Keep(_authority);
            _authoritySource = root;
        }

        _serverCertificate = new ServerCertificate(_authority, ServerNames(settings), ServerAddresses(options.Listen.Address), time, sink?.For("ca"));

        var publisher = new Publisher();
        _reconciler = new Reconciler(settings, publisher, new AddressBookFile(cluster is null ? Path.Combine(options.StateFolder, "addresses.json") : null, health, _log), metrics, time, sink?.For("config"));
        _source = cluster?.Source ?? (IMeshSource)new FileSource(new ConfigFolder(options.ConfigFolder), time, sink?.For("files"));
        var key = cluster is null ? TokenKey.Open(options.StateFolder) : null;
        var tokens = key is null ? cluster!.Tokens(_reconciler) : new FileTokens(key, time);
        _reconciler.Refresh = _source.RefreshAsync;
        _source.Changed += Apply;
        _instances = new InstanceRegistry(
            (ns, name) => _reconciler.Resources.Find<WorkloadGroup>("WorkloadGroup", ns, name),
            new RegistrationFile(Path.Combine(options.StateFolder, "registrations.json"), health, _log), time, sink?.For("registration"))
        {
            Changed = _reconciler.ApplyInstances,
        };

        var discovery = new DiscoveryService(_reconciler, publisher, tokens, options.ScopeByNode, metrics, time, sink?.For("xds"));
        if (cluster is not null)
            discovery.Refused += (peer, type, message) => cluster.TellRefusal(_reconciler.Resources, peer, type, message);
        health.Ask("clients", () => ClientFaults.Of(discovery.Streams, time.GetUtcNow()));
        health.Ask("documents", _reconciler.Faults);
        health.Ask(PlaneFaults.Source, _source.Faults);
        var signing = new SigningService(_authority, tokens, _reconciler, metrics, sink?.For("ca"));
        var registration = key is null ? null : new RegistrationApi(_instances, key, _reconciler, time);
        _listener = new DiscoveryListener(options.Listen, discovery, signing, registration, _serverCertificate, time, _log);
        _admission = options.Webhook is { } webhook ? new AdmissionListener(webhook, _serverCertificate, sink?.For("admission")) : null;
        _admin = new AdminServer(sink);
        _adminPort = _admin.Listen("admin", [options.Admin], routes => DebugPages.Map(routes, _reconciler, publisher, discovery, readiness, health, metrics, _authority, options.StateFolder));
    }

    public IPEndPoint DiscoveryEndPoint => _listener.EndPoint;
    public IPEndPoint? WebhookEndPoint => _admission?.EndPoint;
    public IPEndPoint AdminEndPoint => _adminPort.EndPoints[0];

    /// <summary>
    /// Documents first, then the pages, then the clients: whoever connects gets the whole state. A cluster may be away for long, so there the pages come
    /// first and say what is waited for.
    /// </summary>
    public async Task StartAsync(CancellationToken cancellation)
    {
        if (_cluster is not null)
        {
            await _admin.StartAsync(cancellation);
            _cluster.Watch(_health, _registry);
        }
        var first = await _source.StartAsync(cancellation);
        _reconciler.Apply(first, _time.GetTimestamp());
        if (_cluster is null)
            _instances.Restore();
        _source.Follow();
        _configurationReady.Complete();
        if (_cluster is null)
            await _admin.StartAsync(cancellation);
        await _listener.StartAsync(cancellation);
        if (_admission is not null)
            await _admission.StartAsync(cancellation);
        _listenerReady.Complete();
        _cluster?.Start(_reconciler, _health, _registry);
    }

    public async Task StopAsync(TimeSpan deadline)
    {
        await _listener.StopAsync(deadline);
        await _admin.StopAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
        else
            await _source.DisposeAsync();
        _instances.Dispose();
        await _listener.DisposeAsync();
        if (_admission is not null)
            await _admission.DisposeAsync();
        await _admin.DisposeAsync();
        _serverCertificate.Dispose();
        _authoritySource?.Dispose();
    }

    private void Apply(FolderState state, long noticed)
    {
        _reconciler.Apply(state, noticed);
        _instances.GroupsChanged(state.Changes);
    }

    private static string[] ServerNames(MeshSettings settings)
    {
        string[] services = ["istiod", "istiod-remote", "istio-pilot"];
        return [.. services.Select(s => $"{s}.{settings.SystemNamespace}.svc"), $"istiod.{settings.SystemNamespace}.svc.{settings.ClusterDomain}", "localhost"];
    }

    private static IPAddress[] ServerAddresses(IPAddress listen)
    {
        IPAddress[] loopback = [IPAddress.Loopback, IPAddress.IPv6Loopback];
        return listen.Equals(IPAddress.Any) || listen.Equals(IPAddress.IPv6Any) || loopback.Contains(listen) ? loopback : [listen, .. loopback];
    }
}

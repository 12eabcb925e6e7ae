using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Discovery;
using Mesh.IstiodLite.Leadership;
using Mesh.IstiodLite.Push;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Kubernetes;
using Mesh.IstiodLite.Telemetry;
using Mesh.IstiodLite.Translation;
using Mesh.Kubernetes.Connection;
using Mesh.Kubernetes.Informers;
using Mesh.Kubernetes.Leases;
using Mesh.Kubernetes.Recording;
using Mesh.Kubernetes.Requests;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;
using Mesh.Xds.Server;

namespace Mesh.IstiodLite;

/// <summary>Which cluster, and as whom.</summary>
internal sealed record ClusterOptions
{
    /// <summary>Null: the pod's own service account.</summary>
    public string? KubeConfig { get; init; }
    public string? Context { get; init; }

    /// <summary>Unique among the replicas.</summary>
    public required string Identity { get; init; }

    /// <summary>Audiences of tokens that are accepted (Istio: TOKEN_AUDIENCES).</summary>
    public IReadOnlyList<string> Audiences { get; init; } = ["istio-ca"];

    /// <summary>namespace/account of node agents (Istio: CA_TRUSTED_NODE_ACCOUNTS).</summary>
    public required IReadOnlySet<string> TrustedNodeAccounts { get; init; }
    public InformerOptions Informers { get; init; } = new();

    /// <summary>How often the authority's Secret is looked at.</summary>
    public TimeSpan AuthorityCheck { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Where what is wrong with this control plane is told; null: this is no pod.</summary>
    public OwnPod? Pod { get; init; }

    /// <summary>How often it is looked at what is wrong; what stands at two looks is told.</summary>
    public TimeSpan FaultCheck { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How often what still stands is told again: more often than API servers forget Events, so that whoever looks sees it.</summary>
    public TimeSpan TellAgain { get; init; } = TimeSpan.FromMinutes(20);

    /// <summary>Of the pods of waypoints.</summary>
    public string? WaypointImage { get; init; }

    /// <summary>Names of the environment variables are Istio's.</summary>
    public static ClusterOptions From(RunOptions options)
    {
        static string[] List(string name, string fallback) => (Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? text : fallback).Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var ns = Environment.GetEnvironmentVariable("POD_NAMESPACE") is { Length: > 0 } own ? own : "istio-system";
        return new ClusterOptions
        {
            KubeConfig = options.KubeConfig,
            Context = options.Context,
            WaypointImage = options.WaypointImage,
            Pod = Environment.GetEnvironmentVariable("POD_NAME") is { Length: > 0 } name ? new OwnPod(ns, name, Environment.GetEnvironmentVariable("POD_UID") ?? string.Empty) : null,
            Identity = Environment.GetEnvironmentVariable("POD_NAME") is { Length: > 0 } pod ? pod : $"{Environment.MachineName.ToLowerInvariant()}-{Environment.ProcessId}",
            Audiences = List("TOKEN_AUDIENCES", "istio-ca"),
            TrustedNodeAccounts = List("CA_TRUSTED_NODE_ACCOUNTS", $"{ns}/ztunnel").ToHashSet(StringComparer.Ordinal),
        };
    }
}

/// <summary>Everything that is there because the control plane runs on Kubernetes.</summary>
internal sealed class ClusterPlane : IAsyncDisposable
{
    /// <summary>For what is still to be told by a process that cannot start.</summary>
    private static readonly TimeSpan _lastWords = TimeSpan.FromSeconds(2);

    private readonly KubeClient _client;
    private readonly ClusterOptions _options;
    private readonly MeshSettings _settings;
    private readonly LogSink? _sink;
    private readonly AuthorityMaterial _material;
    private LeaderGroup? _leaders;
    private ClusterAuthorityWatch? _watch;
    private readonly EventRecorder _recorder;
    private readonly PlaneEvents _events;
    private readonly ServerClock _clock;
    private PlaneFaults? _faults;

    private ClusterPlane(KubeClient client, ServerClock clock, EventRecorder recorder, ClusterOptions options, MeshSettings settings, AuthorityMaterial material, CertificateAuthority authority, LogSink? sink)
    {
        (_clock, _recorder, _events) = (clock, recorder, new PlaneEvents(recorder, options.Pod, client.Time));
        _material = material;
        _client = client;
        _options = options;
        _settings = settings;
        _sink = sink;
        Authority = authority;
        Source = new KubernetesSource(client, settings.SystemNamespace, options.Informers, client.Time, sink?.For("kubernetes"));
    }

    public CertificateAuthority Authority { get; }
    public KubernetesSource Source { get; }
    public LeaderGroup? Leaders => _leaders;

    public ITokenVerifier Tokens(IMeshView mesh) => new ClusterTokens(_client, _options.Audiences, _options.TrustedNodeAccounts, mesh);

    /// <summary>Waits until the API server gives the authority. Configuration that cannot be used is a <see cref="ClusterConfigurationException"/>.</summary>
    public static async Task<ClusterPlane> OpenAsync(ClusterOptions options, MeshSettings settings, CertificateLifetimes lifetimes, LogSink? sink, TimeProvider time, CancellationToken cancellation)
    {
        var cluster = options.KubeConfig is { } file ? KubeConfigFile.Load(file, options.Context, time) : InClusterConfiguration.Load(time);
        var clock = new ServerClock(time);
        var client = new KubeClient(cluster, new KubeClientOptions { Time = time, UserAgent = "istiod-lite", ServerDate = clock.Take });
        var recorder = new EventRecorder(client, "istiod-lite", options.Identity, sink is null ? null : sink.For("events").Warn);
        recorder.Start();
        try
        {
            sink?.For("istiod").Info($"the cluster is {cluster.Server} ({cluster.Origin})");
            var begun = time.GetTimestamp();
            string? waited = null;
            var material = await ClusterAuthority.OpenAsync(client, settings.SystemNamespace, settings.TrustDomain, lifetimes.Root, why => waited = why, sink?.For("ca"), cancellation);
            var plane = new ClusterPlane(client, clock, recorder, options, settings, material, new CertificateAuthority(material, lifetimes, time), sink);
            if (waited is not null && time.GetElapsedTime(begun) >= options.FaultCheck)
                plane._events.Tell(nameof(PlaneFault.ApiServerAway), $"the API server did not give this control plane its authority when it started, which waited for it: {waited}");
            return plane;
        }
        catch (Exception e)
        {
            // A process that ends has no page: its pod is the only place where people can read why.
            if (e is StateException)
                new PlaneEvents(recorder, options.Pod, time).Tell(nameof(PlaneFault.AuthorityUnusable), $"the control plane cannot start: {e.Message}");
            await recorder.FlushAsync(_lastWords);
            await recorder.DisposeAsync();
            client.Dispose();
            throw;
        }
    }

    /// <summary>From now on what is wrong with this process itself is told.</summary>
    public void Watch(Health health, MetricRegistry registry)
    {
        _faults = new PlaneFaults(health, registry);
        health.Ask(PlaneFaults.Clock, () => _clock.Fault is { } fault ? [fault] : []);
        _watch = new ClusterAuthorityWatch(_client, _settings.SystemNamespace, _material, Authority, _options.AuthorityCheck, health, _sink?.For("ca"));
        _events.Start(_faults, _options.FaultCheck, _options.TellAgain);
    }

    /// <summary>From now on what the mesh wants is written, by whichever replica leads.</summary>
    public void Start(Reconciler mesh, Health health, MetricRegistry registry)
    {
        var lease = new LeaderElectorOptions
        {
            Namespace = _settings.SystemNamespace,
            Name = _settings.Revision.Length == 0 ? "istiod-lite" : $"istiod-lite-{_settings.Revision}",
            Identity = _options.Identity,
        };
        var log = _sink?.For("leader");
        var discovery = $"istiod{(_settings.Revision.Length == 0 ? "" : "-" + _settings.Revision)}.{_settings.SystemNamespace}.svc:15012";
        var waypoints = new WaypointSettings { DiscoveryAddress = discovery };
        if (_options.WaypointImage is { } image)
            waypoints = waypoints with { Image = image };
        var repairs = registry.Counter("istiod_lite_webhook_repairs", "How often somebody had overwritten the authority in our webhooks and it was written again").With();
        LeaderTask[] tasks =
        [
            new StatusWriter(_client, mesh, health, log),
            new RootDistribution(_client, mesh, () => Authority.RootPem, _options.Informers, health, log),
            new WaypointDeployments(_client, mesh, waypoints, _options.Informers, (resource, reason, text) => ClusterEvents.Tell(_recorder, resource, reason, text), health, log),
            new WebhookTrust(_client, _settings.SystemNamespace, () => Authority.RootPem, _options.Informers, Repaired, health, log),
            new ClusterEvents(_recorder, mesh, _options.TellAgain, health, _client.Time, log),
        ];
        _leaders = new LeaderGroup(_client, lease, tasks, health, _faults!, registry, log);
        mesh.Applied += _leaders.Signal;
        Authority.Changed += _leaders.Signal;
        _leaders.Start();

        void Repaired(string what)
        {
            repairs.Increment();
            log?.Warn(what);
            _events.Tell("WebhookRepaired", what);
        }
    }

    /// <summary>On the pod of a proxy that refused what it was sent; any thread, every replica for its own clients.</summary>
    public void TellRefusal(ResourceSet resources, XdsPeer peer, string type, string message)
    {
        if (peer.Principal is ConnectedProxy { Pod: var (ns, name) } && resources.Find<Pod>("Pod", ns, name) is { } pod)
            ClusterEvents.Tell(_recorder, pod, "ConfigurationRefused", $"the proxy refused {type} and keeps what it accepted last: {message}");
    }

    public async ValueTask DisposeAsync()
    {
        // The leader first: it gives its lease back, and another replica writes on. The connection last: everything else uses it.
        if (_leaders is not null)
            await _leaders.DisposeAsync();
        if (_watch is not null)
            await _watch.DisposeAsync();
        await _events.DisposeAsync();
        await _recorder.DisposeAsync();
        await Source.DisposeAsync();
        _client.Dispose();
    }
}

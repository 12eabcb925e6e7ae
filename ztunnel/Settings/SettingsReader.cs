using Mesh.Net;
using Mesh.Runtime;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Settings;

/// <summary>The only place that knows the names of environment variables. Mistakes are collected, not thrown one by one.</summary>
internal static class SettingsReader
{
    private const string DefaultRoot = "./var/run/secrets/istio/root-cert.pem";
    private const string DefaultToken = "./var/run/secrets/tokens/istio-token";
    private const uint DefaultMark = 0x539;

    public static ZtunnelSettings Read(EnvironmentSettings env)
    {
        var proxyConfig = ProxyConfig.Read(env);
        var mode = env.Choice("PROXY_MODE", ProxyMode.Shared, ("shared", ProxyMode.Shared), ("dedicated", ProxyMode.Dedicated));
        var metadata = Metadata(env, proxyConfig);
        var self = Self(env, metadata);
        var settings = new ZtunnelSettings
        {
            Mode = mode,
            ProxyEnabled = env.Boolean("ENABLE_PROXY", true),
            DedicatedWorkload = Dedicated(env, mode),
            Network = env.Text("NETWORK", string.Empty),
            NodeName = env.Text("NODE_NAME", string.Empty),
            ClusterId = env.Text("ISTIO_META_CLUSTER_ID") ?? env.Text("CLUSTER_ID", "Kubernetes"),
            ClusterDomain = env.Text("CLUSTER_DOMAIN", "cluster.local"),
            TrustDomain = env.Text("TRUST_DOMAIN", "cluster.local"),
            WorkerThreads = WorkerCount.Read(env, proxyConfig?.Concurrency, Environment.ProcessorCount),
            PreserveSource = env.Text("ENABLE_ORIG_SRC") is null ? null : env.Boolean("ENABLE_ORIG_SRC", true),
            LocalhostAppTunnel = env.Boolean("LOCALHOST_APP_TUNNEL", true),
            Baggage = env.Boolean("ENABLE_RESPONSE_BAGGAGE", true),
            PolicyInfoLogging = env.Boolean("AUTHZ_POLICY_INFO_LOGGING", false),
            UnknownPolicyField = env.Choice("ZTUNNEL_UNKNOWN_POLICY_FIELD", UnknownPolicy.Deny, ("warn", UnknownPolicy.Warn), ("deny", UnknownPolicy.Deny)),
            UnknownPolicy = env.Choice("ZTUNNEL_UNKNOWN_POLICY", UnknownPolicy.Warn, ("warn", UnknownPolicy.Warn), ("deny", UnknownPolicy.Deny)),
            BusyPoll = env.Duration("ZTUNNEL_BUSY_POLL", EventLoopOptions.DefaultBusyPoll),
            SameNodeFastPath = env.Boolean("ZTUNNEL_SAME_NODE_FAST_PATH", false),
            Ipv6 = env.Boolean("IPV6_ENABLED", true),
            Socks5 = env.Boolean("UNSTABLE_ENABLE_SOCKS5", false),
            ControlPlane = ControlPlane(env, proxyConfig),
            Authority = Authority(env),
            Tunnel = Tunnel(env),
            Socket = Socket(env),
            Pods = Pods(env, mode),
            Dns = Dns(env, metadata),
            Drain = new DrainSettings(TerminationDeadline.Read(env)),
            Admin = Admin(env, proxyConfig),
            Self = self,
        };
        Check(env, settings);
        return settings;
    }

    /// <summary>Names that look like ours and are not: nearly always a typing error.</summary>
    public static IReadOnlyList<string> Unknown(EnvironmentSettings env) =>
        [.. OwnPrefixes.SelectMany(prefix => env.Prefixed(prefix).Select(v => prefix + v.Key)).Where(name => !env.Effective.ContainsKey(name) && !OptionalNames.Contains(name))];

    private static readonly string[] OwnPrefixes = ["ZTUNNEL_", "HTTP2_", "POOL_", "KEEPALIVE_", "INPOD_"];

    /// <summary>Read only where another setting leaves them a say.</summary>
    private static readonly HashSet<string> OptionalNames = new(StringComparer.Ordinal)
    {
        "ZTUNNEL_WORKER_THREADS", "ZTUNNEL_CPU_LIMIT", "ZTUNNEL_RESOURCE_CPU_LIMIT", "ZTUNNEL_RESOURCE_CPU_REQUEST",
    };

    private static void Check(EnvironmentSettings env, ZtunnelSettings settings)
    {
        if (!settings.ProxyEnabled && !settings.Dns.Enabled)
            env.Fail("ENABLE_PROXY is false and DNS capture is off: there is nothing to do");
        if (settings.ControlPlane is { OnDemand: true } && settings.Dns.Enabled)
            env.Fail("XDS_ON_DEMAND cannot be used with the DNS proxy, which needs all services: set ISTIO_META_DNS_CAPTURE=false");
        if (settings.ControlPlane is { LocalFile: not null, LocalText: not null })
            env.Fail("LOCAL_XDS_PATH and LOCAL_XDS are both set: choose one");
        if (settings.Pods is { FromCluster: true } && settings.NodeName.Length == 0)
            env.Fail("ZTUNNEL_POD_SOURCE is kubernetes and NODE_NAME is not set: the agent must know whose pods are its own (fieldRef spec.nodeName)");
        if (settings.Pods is { FromCluster: true, List: not null })
            env.Fail("ZTUNNEL_POD_SOURCE is kubernetes and ZTUNNEL_POD_LIST is set: choose one");
        if (settings.Tunnel.ConnectionWindow < settings.Tunnel.StreamWindow)
            env.Fail("HTTP2_CONNECTION_WINDOW_SIZE is smaller than HTTP2_STREAM_WINDOW_SIZE: one stream could never use its window");
    }

    private static PodInfo? Dedicated(EnvironmentSettings env, ProxyMode mode)
    {
        if (mode != ProxyMode.Dedicated)
            return null;
        var text = env.Required("PROXY_WORKLOAD_INFO", "a dedicated proxy needs namespace/name/service-account");
        var parts = text.Split('/');
        if (parts.Length == 3)
            return new PodInfo(parts[1], parts[0], parts[2]);
        if (text.Length > 0)
            env.Fail($"PROXY_WORKLOAD_INFO is '{text}'; it must be namespace/name/service-account");
        return null;
    }

    private static ControlPlaneSettings ControlPlane(EnvironmentSettings env, ProxyConfig? proxyConfig) => new()
    {
        Address = Address(env, "XDS_ADDRESS", proxyConfig?.DiscoveryAddress),
        Root = RootCertificate.From(env.Text("XDS_ROOT_CA", DefaultRoot)),
        AlternateHostname = env.Text("ALT_XDS_HOSTNAME"),
        Token = Token(env),
        Headers = env.Prefixed("XDS_HEADER_").ToDictionary(h => h.Key, h => h.Value, StringComparer.Ordinal),
        OnDemand = env.Boolean("XDS_ON_DEMAND", false),
        LocalFile = env.Text("LOCAL_XDS_PATH"),
        LocalText = env.Text("LOCAL_XDS"),
    };

    private static AuthoritySettings Authority(EnvironmentSettings env) => new()
    {
        Address = Address(env, "CA_ADDRESS", null),
        Root = RootCertificate.From(env.Text("CA_ROOT_CA", DefaultRoot)),
        AlternateHostname = env.Text("ALT_CA_HOSTNAME"),
        Token = Token(env),
        Headers = env.Prefixed("CA_HEADER_").ToDictionary(h => h.Key, h => h.Value, StringComparer.Ordinal),
        SecretTtl = env.Duration("SECRET_TTL", TimeSpan.FromHours(24)),
        IdentityDeadline = env.Duration("ZTUNNEL_IDENTITY_DEADLINE", TimeSpan.FromSeconds(5)),
        CrlPath = env.Text("CRL_PATH"),
        AllowTls12 = env.Boolean("TLS12_ENABLED", false),
    };

    private static TunnelSettings Tunnel(EnvironmentSettings env) => new()
    {
        StreamWindow = env.Integer("HTTP2_STREAM_WINDOW_SIZE", 4 * 1024 * 1024, 1),
        ConnectionWindow = env.Integer("HTTP2_CONNECTION_WINDOW_SIZE", 16 * 1024 * 1024, 65535),
        FrameSize = env.Integer("HTTP2_FRAME_SIZE", 1024 * 1024, 16384, 16777215),
        PoolMaxStreams = env.Integer("POOL_MAX_STREAMS_PER_CONNECTION", 100, 1, ushort.MaxValue),
        PoolUnusedRelease = env.Duration("POOL_UNUSED_RELEASE_TIMEOUT", TimeSpan.FromMinutes(5)),
        HandshakeTimeout = env.Duration("ZTUNNEL_HANDSHAKE_TIMEOUT", TimeSpan.FromSeconds(10)),
        WaitingBytesLimit = env.Integer("ZTUNNEL_WAITING_MEGABYTES", 512) * 1024L * 1024,
        HalfCloseDeadline = env.Duration("ZTUNNEL_HALF_CLOSE_DEADLINE", TimeSpan.FromHours(1)),
    };

    private static SocketSettings Socket(EnvironmentSettings env) => new()
    {
        KeepAlive = env.Boolean("KEEPALIVE_ENABLED", true),
        KeepAliveTime = env.Duration("KEEPALIVE_TIME", TimeSpan.FromSeconds(180)),
        KeepAliveInterval = env.Duration("KEEPALIVE_INTERVAL", TimeSpan.FromSeconds(180)),
        KeepAliveRetries = env.Integer("KEEPALIVE_RETRIES", 9, 1, 127),
        UserTimeout = env.Boolean("USER_TIMEOUT_ENABLED", false),
    };

    private static PodSettings Pods(EnvironmentSettings env, ProxyMode mode) => Pods(env, mode, env.Choice("ZTUNNEL_POD_SOURCE", false, ("zds", false), ("list", false), ("kubernetes", true)));

    private static PodSettings Pods(EnvironmentSettings env, ProxyMode mode, bool fromCluster) => new()
    {
        FromCluster = fromCluster,
        Kubeconfig = fromCluster ? env.Text("ZTUNNEL_KUBECONFIG") : null,
        AgentSocket = fromCluster ? env.Text("ZTUNNEL_AGENT_SOCKET") : null,
        ExcludedNamespaces = fromCluster ? env.Text("ZTUNNEL_EXCLUDED_NAMESPACES", "kube-system").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).ToHashSet(StringComparer.Ordinal) : new HashSet<string>(StringComparer.Ordinal),
        Cni = Cni(env),
        Socket = env.Text("INPOD_UDS", "/var/run/ztunnel/ztunnel.sock"),
        PortReuse = env.Boolean("INPOD_PORT_REUSE", true),
        PacketMark = env.OptionalInteger("PACKET_MARK") is { } mark ? (uint)mark : mode == ProxyMode.Shared ? DefaultMark : null,
        CaptureRules = env.Choice("ZTUNNEL_CAPTURE_RULES", env.Text("ZTUNNEL_POD_LIST") is null && !fromCluster ? CaptureRules.Off : CaptureRules.Auto,
            ("off", CaptureRules.Off), ("auto", CaptureRules.Auto), ("nftables", CaptureRules.Nftables), ("iptables", CaptureRules.Iptables)),
        List = env.Text("ZTUNNEL_POD_LIST"),
        NodeProc = env.Text("ZTUNNEL_NODE_PROC", "/proc"),
        NodeCgroups = env.Text("ZTUNNEL_NODE_CGROUPS", "/sys/fs/cgroup"),
    };

    private static CniSettings? Cni(EnvironmentSettings env)
    {
        if (env.Text("ZTUNNEL_CNI_CONF_DIR") is not { } configuration)
            return null;
        var settings = new CniSettings
        {
            IsChained = env.Boolean("ZTUNNEL_CNI_CHAINED", true),
            IsRequired = env.Boolean("ZTUNNEL_CNI_REQUIRED", true),
            ConfigurationFolder = configuration,
            ProgramFolder = env.Text("ZTUNNEL_CNI_BIN_DIR", string.Empty),
        };
        if (settings.ProgramFolder.Length == 0)
            env.Fail("ZTUNNEL_CNI_CONF_DIR is set, ZTUNNEL_CNI_BIN_DIR is not: name the folder of the node's CNI plugins, too");
        return env.Text("ZTUNNEL_CNI_PROGRAM") is { } program ? settings with { Program = program } : settings;
    }

    private static DnsSettings Dns(EnvironmentSettings env, IReadOnlyDictionary<string, string> metadata)
    {
        var port = 15053;
        System.Net.IPEndPoint? address = null;
        if (metadata.TryGetValue("DNS_PROXY_ADDR", out var text))
        {
            if (text.StartsWith("localhost:", StringComparison.Ordinal) && ushort.TryParse(text.AsSpan("localhost:".Length), out var given))
                port = given;
            else if (!System.Net.IPEndPoint.TryParse(text, out address))
                env.Fail($"ISTIO_META_DNS_PROXY_ADDR is '{text}'; it must be localhost:PORT or an address with port");
        }
        return new DnsSettings
        {
            Enabled = !metadata.TryGetValue("DNS_CAPTURE", out var capture) || capture == "true",
            Address = address,
            Port = port,
            PreferredNamespace = env.Text("PREFERED_SERVICE_NAMESPACE"),
        };
    }

    private static AdminSettings Admin(EnvironmentSettings env, ProxyConfig? proxyConfig) => new()
    {
        Port = proxyConfig?.AdminPort ?? 15000,
        StatsPort = proxyConfig?.StatsPort ?? 15020,
        DecisionRing = env.Integer("ZTUNNEL_DECISION_RECORDS", 16 * 1024, 0, 16 * 1024 * 1024),
        LogFilter = env.Text("RUST_LOG", "info"),
        JsonLog = env.Text("LOG_FORMAT") == "json",
    };

    private static SelfSettings Self(EnvironmentSettings env, IReadOnlyDictionary<string, string> metadata) => new()
    {
        PodName = env.Text("POD_NAME", string.Empty),
        PodNamespace = env.Text("POD_NAMESPACE", string.Empty),
        ServiceAccount = env.Text("SERVICE_ACCOUNT", string.Empty),
        InstanceIp = env.Text("INSTANCE_IP", "1.1.1.1"),
        IstioVersion = metadata.GetValueOrDefault("ISTIO_VERSION", "unknown"),
        Metadata = metadata,
        JsonMetadata = env.Prefixed("ISTIO_METAJSON_").ToDictionary(m => m.Key, m => m.Value, StringComparer.Ordinal),
    };

    private static Dictionary<string, string> Metadata(EnvironmentSettings env, ProxyConfig? proxyConfig)
    {
        var metadata = new Dictionary<string, string>(proxyConfig?.Metadata ?? [], StringComparer.Ordinal);
        foreach (var (key, value) in env.Prefixed("ISTIO_META_"))
            metadata[key] = value;
        return metadata;
    }

    private static Uri? Address(EnvironmentSettings env, string name, string? configured)
    {
        var inCluster = env.Text("KUBERNETES_SERVICE_HOST") is not null;
        var text = env.Text(name) ?? configured ?? (inCluster ? "https://istiod.istio-system.svc:15012" : "https://localhost:15012");
        if (text.Length == 0)
            return null;
        if (!text.Contains("://", StringComparison.Ordinal))
            text = "https://" + text;
        if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps)
            return uri;
        env.Fail($"{name} is '{text}'; it must be an https address such as https://istiod.istio-system.svc:15012");
        return null;
    }

    private static AuthToken Token(EnvironmentSettings env) => env.Secret("AUTH_TOKEN") is { } given
        ? File.Exists(given) ? new AuthToken(given, null) : new AuthToken(null, given)
        : File.Exists(DefaultToken) ? new AuthToken(DefaultToken, null) : new AuthToken(null, null);
}

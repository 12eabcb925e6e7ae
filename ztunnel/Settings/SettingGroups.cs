using System.Net;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Settings;

/// <summary>Where trust in a server comes from: a file (read again when needed), the system's roots, or the PEM text itself.</summary>
internal sealed record RootCertificate(string? File, bool System, string? Inline)
{
    public static RootCertificate From(string value) =>
        value == "SYSTEM" ? new(null, true, null)
        : value.Contains("-----BEGIN", StringComparison.Ordinal) ? new(null, false, value)
        : new(value, false, null);
}

/// <summary>A token file (read for every request), a literal, or none.</summary>
internal sealed record AuthToken(string? File, string? Literal);

internal sealed record ControlPlaneSettings
{
    /// <summary>Null: no control plane.</summary>
    public Uri? Address { get; init; }

    public required RootCertificate Root { get; init; }

    public string? AlternateHostname { get; init; }

    public required AuthToken Token { get; init; }

    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    public bool OnDemand { get; init; }

    /// <summary>Static configuration, a path or inline text.</summary>
    public string? LocalFile { get; init; }

    public string? LocalText { get; init; }
}

internal sealed record AuthoritySettings
{
    public Uri? Address { get; init; }

    public required RootCertificate Root { get; init; }

    public string? AlternateHostname { get; init; }

    public required AuthToken Token { get; init; }

    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    public TimeSpan SecretTtl { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long a connection waits for the own certificate.</summary>
    public TimeSpan IdentityDeadline { get; init; } = TimeSpan.FromSeconds(5);

    public string? CrlPath { get; init; }

    public bool AllowTls12 { get; init; }
}

internal sealed record TunnelSettings
{
    public int StreamWindow { get; init; } = 4 * 1024 * 1024;

    public int ConnectionWindow { get; init; } = 16 * 1024 * 1024;

    public int FrameSize { get; init; } = 1024 * 1024;

    public int PoolMaxStreams { get; init; } = 100;

    public TimeSpan PoolUnusedRelease { get; init; } = TimeSpan.FromMinutes(5);

    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Bytes that may wait for slow readers on this node; 0: no bound but the stream windows.</summary>
    public long WaitingBytesLimit { get; init; } = 512L * 1024 * 1024;

    /// <summary>One side has ended and nothing moved for this long.</summary>
    public TimeSpan HalfCloseDeadline { get; init; } = TimeSpan.FromHours(1);
}

internal sealed record SocketSettings
{
    public bool KeepAlive { get; init; } = true;

    public TimeSpan KeepAliveTime { get; init; } = TimeSpan.FromSeconds(180);

    public TimeSpan KeepAliveInterval { get; init; } = TimeSpan.FromSeconds(180);

    public int KeepAliveRetries { get; init; } = 9;

    public bool UserTimeout { get; init; }
}

internal sealed record PodSettings
{
    public string Socket { get; init; } = "/var/run/ztunnel/ztunnel.sock";

    public bool PortReuse { get; init; } = true;

    /// <summary>Null in dedicated mode unless set: the mark is how the rules tell our packets from the pod's.</summary>
    public uint? PacketMark { get; init; } = 0x539;

    public CaptureRules CaptureRules { get; init; }

    /// <summary>Set: pods come from this file and are found by us; otherwise from <see cref="Socket"/>.</summary>
    public string? List { get; init; }

    /// <summary>Pods come from the API server and are found by us.</summary>
    public bool FromCluster { get; init; }

    /// <summary>Null: the service account of our own pod.</summary>
    public string? Kubeconfig { get; init; }

    /// <summary>Where the CNI plugin asks; null: there is none.</summary>
    public string? AgentSocket { get; init; }

    public IReadOnlySet<string> ExcludedNamespaces { get; init; } = new HashSet<string>(StringComparer.Ordinal);

    /// <summary>Null: the node's CNI plugins are none of our business.</summary>
    public CniSettings? Cni { get; init; }

    /// <summary>The node's /proc and control groups, which a container sees elsewhere.</summary>
    public string NodeProc { get; init; } = "/proc";

    public string NodeCgroups { get; init; } = "/sys/fs/cgroup";
}

/// <summary>The CNI plugin that holds the start of pods until they are captured.</summary>
internal sealed record CniSettings
{
    /// <summary>False: it is taken away where an earlier agent has left it.</summary>
    public bool IsChained { get; init; }

    /// <summary>Pods of the mesh do not start while no agent is there.</summary>
    public bool IsRequired { get; init; } = true;

    public string Program { get; init; } = Path.Combine(AppContext.BaseDirectory, "cni", "mesh-cni");

    /// <summary>The node's folders, which a container sees elsewhere.</summary>
    public required string ProgramFolder { get; init; }

    public required string ConfigurationFolder { get; init; }
}

internal sealed record DnsSettings
{
    public bool Enabled { get; init; } = true;

    /// <summary>Null: loopback of both families on <see cref="Port"/>.</summary>
    public IPEndPoint? Address { get; init; }

    public int Port { get; init; } = 15053;

    /// <summary>Wins among equals when several namespaces define a name.</summary>
    public string? PreferredNamespace { get; init; }
}

internal sealed record DrainSettings(TimeSpan Deadline);

internal sealed record AdminSettings
{
    public int Port { get; init; } = 15000;

    public int StatsPort { get; init; } = 15020;

    public int ReadinessPort { get; init; } = 15021;

    /// <summary>How many decisions are remembered.</summary>
    public int DecisionRing { get; init; } = 16 * 1024;

    public string LogFilter { get; init; } = "info";

    public bool JsonLog { get; init; }
}

/// <summary>Who this process is, for the control plane, and as a workload that can be reached itself.</summary>
internal sealed record SelfSettings
{
    public string PodName { get; init; } = string.Empty;

    public string PodNamespace { get; init; } = string.Empty;

    public string ServiceAccount { get; init; } = string.Empty;

    public string InstanceIp { get; init; } = "1.1.1.1";

    public string IstioVersion { get; init; } = "unknown";

    /// <summary>proxyMetadata and ISTIO_META_*.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>ISTIO_METAJSON_*: the raw JSON text by key.</summary>
    public IReadOnlyDictionary<string, string> JsonMetadata { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Null: no listener for our own ports.</summary>
    public PodInfo? Workload => PodName.Length > 0 && PodNamespace.Length > 0 && ServiceAccount.Length > 0
        ? new PodInfo(PodName, PodNamespace, ServiceAccount)
        : null;
}

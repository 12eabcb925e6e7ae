using System.Net;
using Mesh.Runtime;
using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint;

/// <summary>What the environment says; the names are those of ztunnel and of an Istio proxy where they exist there.</summary>
internal sealed record WaypointSettings
{
    public required string PodName { get; init; }

    public required string PodNamespace { get; init; }

    public required string ServiceAccount { get; init; }

    public required string TrustDomain { get; init; }

    public required string GatewayName { get; init; }

    public required string InstanceIp { get; init; }

    public string ClusterId { get; init; } = "Kubernetes";

    public string Network { get; init; } = string.Empty;

    /// <summary>URL of the control plane: <c>https://istiod.istio-system.svc:15012</c>.</summary>
    public required string XdsAddress { get; init; }

    public required string CaAddress { get; init; }

    public string? RootCertificatePath { get; init; }

    /// <summary>The token itself or, starting with a slash, the file it is in.</summary>
    public string? AuthToken { get; init; }

    public TimeSpan CertificateLife { get; init; } = TimeSpan.FromHours(24);

    public required IPEndPoint Inbound { get; init; }

    public required IPEndPoint Metrics { get; init; }

    public required IPEndPoint Ready { get; init; }

    public int AdminPort { get; init; } = 15000;

    public int WorkerThreads { get; init; }

    /// <summary>How long after a signal new connections are still taken: who sends them may not know yet.</summary>
    public TimeSpan TerminationDrain { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long after that open streams may go on.</summary>
    public TimeSpan TerminationPatience { get; init; } = TimeSpan.FromSeconds(20);

    public WaypointLimits Limits { get; init; } = WaypointLimits.Default;

    public PathNormalization PathNormalization { get; init; } = PathNormalization.Base;

    /// <summary>False: a path is judged as it is forwarded only, as Istio does.</summary>
    public bool RefuseAmbiguousPaths { get; init; } = true;

    /// <summary>How long at most an endpoint is less preferred after a rate-limited answer; zero: never.</summary>
    public TimeSpan LongestPushback { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How many of the last requests and connections are kept for <c>/decisions</c>; 0: none.</summary>
    public int DecisionRecords { get; init; } = 16384;

    /// <summary>Which share of the requests that ended well at the first try is recorded; all others always are.</summary>
    public int DecisionSampling { get; init; } = 100;

    /// <summary>Empty: no filters (docs/filters.md).</summary>
    public string FiltersFolder { get; init; } = string.Empty;

    public TimeSpan FilterTimeBudget { get; init; } = TimeSpan.FromMilliseconds(50);

    public int FilterAllocationBudget { get; init; } = 64 * 1024;

    public bool FiltersFailOpen { get; init; }

    public string LogFilter { get; init; } = "info";

    public bool LogJson { get; init; }

    public string Spiffe => $"spiffe://{TrustDomain}/ns/{PodNamespace}/sa/{ServiceAccount}";

    public static WaypointSettings Read(EnvironmentSettings environment)
    {
        var control = environment.Text("XDS_ADDRESS", "https://istiod.istio-system.svc:15012");
        return new WaypointSettings
        {
            PodName = environment.Required("POD_NAME", "the name of this waypoint's pod"),
            PodNamespace = environment.Required("POD_NAMESPACE", "the namespace of this waypoint's pod"),
            ServiceAccount = environment.Required("SERVICE_ACCOUNT", "the service account whose identity this waypoint has"),
            TrustDomain = environment.Text("TRUST_DOMAIN", "cluster.local"),
            GatewayName = environment.Text("GATEWAY_NAME", environment.Text("ISTIO_META_GATEWAY_NAME", "waypoint")),
            InstanceIp = environment.Text("INSTANCE_IP", "127.0.0.1"),
            ClusterId = environment.Text("CLUSTER_ID", "Kubernetes"),
            Network = environment.Text("NETWORK", string.Empty),
            XdsAddress = control,
            CaAddress = environment.Text("CA_ADDRESS", control),
            RootCertificatePath = environment.Text("XDS_ROOT_CA") ?? environment.Text("CA_ROOT_CA"),
            AuthToken = environment.Secret("AUTH_TOKEN"),
            CertificateLife = environment.Duration("SECRET_TTL", TimeSpan.FromHours(24)),
            Inbound = environment.EndPoint("INBOUND_ADDR", new IPEndPoint(IPAddress.Any, 15008)),
            Metrics = environment.EndPoint("STATS_ADDR", new IPEndPoint(IPAddress.Any, 15020)),
            Ready = environment.EndPoint("READINESS_ADDR", new IPEndPoint(IPAddress.Any, 15021)),
            AdminPort = environment.Integer("ADMIN_PORT", 15000, 0, 65535),
            WorkerThreads = environment.Integer("WORKER_THREADS", 0),
            TerminationDrain = environment.Duration("TERMINATION_DRAIN_DURATION", TimeSpan.FromSeconds(5)),
            TerminationPatience = environment.Duration("TERMINATION_STREAM_DURATION", TimeSpan.FromSeconds(20)),
            Limits = WaypointLimits.Read(environment),
            PathNormalization = environment.Choice(
                "PATH_NORMALIZATION",
                PathNormalization.Base,
                ("NONE", PathNormalization.None),
                ("BASE", PathNormalization.Base),
                ("DEFAULT", PathNormalization.Base),
                ("MERGE_SLASHES", PathNormalization.MergeSlashes),
                ("DECODE_AND_MERGE_SLASHES", PathNormalization.DecodeAndMergeSlashes)),
            RefuseAmbiguousPaths = environment.Choice("AMBIGUOUS_PATHS", true, ("refuse", true), ("forward", false)),
            LongestPushback = environment.Duration("PUSHBACK_MAX", TimeSpan.FromSeconds(30)),
            DecisionRecords = environment.Integer("DECISION_RECORDS", 16384),
            DecisionSampling = environment.Integer("DECISION_SAMPLING", 100, 0, 100),
            FiltersFolder = environment.Text("FILTERS_DIR", string.Empty),
            FilterTimeBudget = environment.Duration("FILTERS_TIME_BUDGET", TimeSpan.FromMilliseconds(50)),
            FilterAllocationBudget = environment.Integer("FILTERS_ALLOCATION_BUDGET", 64 * 1024),
            FiltersFailOpen = environment.Choice("FILTERS_FAILURE", false, ("closed", false), ("open", true)),
            LogFilter = environment.Text("RUST_LOG", "info"),
            LogJson = environment.Choice("LOG_FORMAT", false, ("plain", false), ("text", false), ("json", true)),
        };
    }
}

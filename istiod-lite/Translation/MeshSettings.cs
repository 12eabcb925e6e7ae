using System.Collections;
using System.Globalization;
using System.Net;
using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

internal enum EntryVisibility
{
    Public,
    Namespace,
    None,
}

internal sealed record VisibilityPolicy(IReadOnlyList<LabelSelector> NamespaceSelectors, EntryVisibility Visibility);

/// <summary>MeshConfig.accessLogFile, accessLogFormat and accessLogEncoding.</summary>
internal sealed record AccessLogSettings(string File, string Format, bool IsJson);

/// <summary>What the control plane was told besides the documents. Names of the environment variables are Istio's.</summary>
internal sealed record MeshSettings
{
    public string ClusterId { get; init; } = "Kubernetes";
    public string ClusterDomain { get; init; } = "cluster.local";
    public string TrustDomain { get; init; } = "cluster.local";
    public string RootNamespace { get; init; } = "istio-system";
    public string SystemNamespace { get; init; } = "istio-system";
    public string Revision { get; init; } = string.Empty;
    public bool DryRunPolicies { get; init; }
    public bool AutoAllowWaypoint { get; init; }
    public bool AutoAllocateIps { get; init; } = true;
    public IPNetwork IPv4Pool { get; init; } = IPNetwork.Parse("240.240.0.0/16");
    public IPNetwork IPv6Pool { get; init; } = IPNetwork.Parse("2001:2::/48");

    /// <summary>
    /// Without Kubernetes nobody else gives Services their addresses and waypoint Gateways their Service and address: then the translation does.
    /// </summary>
    public bool Standalone { get; init; }
    /// <summary>Standalone: where Services without clusterIP get theirs from.</summary>
    public IPNetwork ServicePool { get; init; } = IPNetwork.Parse("240.241.0.0/16");

    /// <summary>Null: MeshConfig has no serviceEntryVisibility, so nothing is said in status either.</summary>
    public EntryVisibility? DefaultVisibility { get; init; }
    public IReadOnlyList<VisibilityPolicy> VisibilityPolicies { get; init; } = [];
    /// <summary>MeshConfig.defaultHttpRetryPolicy; null: Istio's built-in default.</summary>
    public HttpRetry? DefaultRetry { get; init; }
    /// <summary>MeshConfig.extensionProviders.</summary>
    public IReadOnlyList<ExtensionProvider> ExtensionProviders { get; init; } = [];
    /// <summary>MeshConfig.defaultProviders.tracing.</summary>
    public IReadOnlyList<string> DefaultTracingProviders { get; init; } = [];
    /// <summary>MeshConfig.defaultProviders.accessLogging.</summary>
    public IReadOnlyList<string> DefaultAccessLogProviders { get; init; } = [];
    public AccessLogSettings AccessLog { get; init; } = new(string.Empty, string.Empty, IsJson: false);
    /// <summary>Percent of requests that bring no decision; MeshConfig.defaultConfig.tracing.sampling, Istio's default otherwise.</summary>
    public double TraceSampling { get; init; } = 1;
    /// <summary>MeshConfig.defaultConfig: concurrency and proxyMetadata.</summary>
    public ProxyRun ProxyDefaults { get; init; } = ProxyRun.Unsaid;
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    public bool IsDefaultTrustDomain => TrustDomain is "cluster.local";

    public static MeshSettings FromEnvironment(IDictionary environment, List<string> errors)
    {
        string? Text(string name) => environment[name] as string is { Length: > 0 } value ? value : null;

        bool Flag(string name, bool fallback)
        {
            switch (Text(name)?.ToLower(CultureInfo.InvariantCulture))
            {
                case null:
                    return fallback;
                case "true" or "1":
                    return true;
                case "false" or "0":
                    return false;
                default:
                    errors.Add($"{name} must be true or false");
                    return fallback;
            }
        }

        IPNetwork Pool(string name, IPNetwork fallback)
        {
            var text = Text(name);
            if (text is null)
                return fallback;
            if (IPNetwork.TryParse(text, out var network))
                return network;
            errors.Add($"{name} must be a network such as 240.240.0.0/16");
            return fallback;
        }

        var defaults = new MeshSettings();
        return defaults with
        {
            ClusterId = Text("CLUSTER_ID") ?? defaults.ClusterId,
            ClusterDomain = Text("DOMAIN_SUFFIX") ?? defaults.ClusterDomain,
            TrustDomain = Text("TRUST_DOMAIN") ?? defaults.TrustDomain,
            SystemNamespace = Text("POD_NAMESPACE") ?? defaults.SystemNamespace,
            RootNamespace = Text("POD_NAMESPACE") ?? defaults.RootNamespace,
            Revision = Text("REVISION") ?? defaults.Revision,
            DryRunPolicies = Flag("AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY", fallback: false),
            AutoAllowWaypoint = Flag("PILOT_AUTO_ALLOW_WAYPOINT_POLICY", fallback: false),
            AutoAllocateIps = Flag("PILOT_ENABLE_IP_AUTOALLOCATE", fallback: true),
            IPv4Pool = Pool("PILOT_IP_AUTOALLOCATE_IPV4_PREFIX", defaults.IPv4Pool),
            IPv6Pool = Pool("PILOT_IP_AUTOALLOCATE_IPV6_PREFIX", defaults.IPv6Pool),
        };
    }
}

using System.Globalization;
using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

/// <summary>How one proxy is to be run. Null: nobody said.</summary>
internal sealed record ProxyRun(int? Concurrency, IReadOnlyDictionary<string, string> Environment)
{
    public static readonly ProxyRun Unsaid = new(null, new Dictionary<string, string>(StringComparer.Ordinal));

    /// <summary>Field by field; of variables, name by name.</summary>
    public ProxyRun Under(ProxyRun? nearer)
    {
        if (nearer is null)
            return this;
        var environment = new SortedDictionary<string, string>(Environment.ToDictionary(), StringComparer.Ordinal);
        foreach (var (name, value) in nearer.Environment)
            environment[name] = value;
        return new ProxyRun(nearer.Concurrency ?? Concurrency, environment);
    }
}

/// <summary>
/// Which ProxyConfigs count for a waypoint, in the order of Istio: MeshConfig, the root namespace, the waypoint's namespace, a selector there, the annotation of the
/// waypoint itself; the nearer counts more. Of several in one place the oldest counts.
/// </summary>
internal static class ProxyConfigs
{
    /// <summary>What a waypoint's container is given by the control plane: whoever could change it could make it another waypoint.</summary>
    public static readonly IReadOnlySet<string> Reserved = new HashSet<string>(StringComparer.Ordinal)
    {
        "POD_NAME", "POD_NAMESPACE", "INSTANCE_IP", "SERVICE_ACCOUNT", "GATEWAY_NAME", "TRUST_DOMAIN", "CLUSTER_ID", "NETWORK", "NODE_NAME", "XDS_ADDRESS", "CA_ADDRESS", "XDS_ROOT_CA", "CA_ROOT_CA",
        "AUTH_TOKEN", Threads,
    };

    // As the waypoint reads it.
    private const string Threads = "WORKER_THREADS";

    public static ProxyRun For(ResourceSet resources, MeshSettings settings, Gateway gateway)
    {
        var ns = gateway.Namespace;
        var labels = WaypointMetadata.PodLabels(gateway, WaypointMetadata.NetworkOf(resources, settings));
        var run = settings.ProxyDefaults.Under(WithoutSelector(resources, settings.RootNamespace));
        if (ns != settings.RootNamespace)
            run = run.Under(WithoutSelector(resources, ns));
        run = run.Under(Said(resources.ProxyConfigs.FirstOrDefault(c => c.Namespace == ns && c.Selector is { Count: > 0 } selector && LabelSelector.Matches(selector, labels))));
        return run.Under(ProxyConfigAnnotation.Read(gateway));
    }

    /// <summary>What the container of a waypoint is given beside what makes it this waypoint, in order of names.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Variables(ProxyRun run)
    {
        var variables = new SortedDictionary<string, string>(run.Environment.Where(e => !Reserved.Contains(e.Key)).ToDictionary(), StringComparer.Ordinal);
        if (run.Concurrency is { } threads)
            variables[Threads] = threads.ToString(CultureInfo.InvariantCulture);
        return variables;
    }

    private static ProxyRun? WithoutSelector(ResourceSet resources, string ns) => Said(resources.ProxyConfigs.FirstOrDefault(c => c.Namespace == ns && c.Selector is not { Count: > 0 }));

    private static ProxyRun? Said(ProxyConfigResource? config) => config is null ? null : new ProxyRun(config.Concurrency, config.Environment);
}

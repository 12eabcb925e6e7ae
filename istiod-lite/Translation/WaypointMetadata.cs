using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

/// <summary>Names, labels and annotations of what is made for a waypoint's Gateway (reference: istiod 5.4, 5.5). Pure.</summary>
internal static class WaypointMetadata
{
    public const string ControllerVersionAnnotation = "gateway.istio.io/controller-version";
    public const string ServiceType = "networking.istio.io/service-type";
    public const string ManagedValue = "istio.io-mesh-controller";
    private const string NameOverride = "gateway.istio.io/name-override";

    public static string NameOf(Gateway gateway) => gateway.Meta.Annotation(NameOverride) is { Length: > 0 } name ? name : gateway.Name;

    public static string AccountOf(Gateway gateway) => gateway.Meta.Annotation(WellKnown.GatewayServiceAccount) is { Length: > 0 } name ? name : NameOf(gateway);

    /// <summary>What the system namespace says; empty: nothing.</summary>
    public static string NetworkOf(ResourceSet resources, MeshSettings settings) =>
        resources.Find<NamespaceResource>("Namespace", string.Empty, settings.SystemNamespace)?.Meta.Label(WellKnown.Network) ?? string.Empty;

    public static SortedDictionary<string, string> Labels(Gateway gateway, string network)
    {
        var labels = Carried(gateway.InfrastructureLabels.Count > 0 ? gateway.InfrastructureLabels : gateway.Meta.Labels);
        labels[WellKnown.GatewayManaged] = ManagedValue;
        labels[WellKnown.GatewayName] = gateway.Name;
        labels["gateway.networking.k8s.io/gateway-class-name"] = gateway.ClassName;
        if (network.Length > 0)
            labels.TryAdd(WellKnown.Network, network);
        return labels;
    }

    public static SortedDictionary<string, string> PodLabels(Gateway gateway, string network)
    {
        var labels = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["sidecar.istio.io/inject"] = "false",
            // The waypoint is the mesh's own hop: nobody captures its traffic, unless a person says so.
            ["istio.io/dataplane-mode"] = "none",
            ["service.istio.io/canonical-name"] = NameOf(gateway),
            ["service.istio.io/canonical-revision"] = "latest",
        };
        foreach (var (key, value) in Labels(gateway, network))
            labels[key] = value;
        return labels;
    }

    public static SortedDictionary<string, string> Annotations(Gateway gateway) => Carried(gateway.InfrastructureAnnotations.Count > 0 ? gateway.InfrastructureAnnotations : gateway.Meta.Annotations);

    /// <summary>Labels and annotations of the Gateway API itself mean the Gateway, what kubectl keeps means nothing.</summary>
    private static SortedDictionary<string, string> Carried(IReadOnlyDictionary<string, string> from) => new(
        from.Where(p => !p.Key.StartsWith("gateway.networking.k8s.io/", StringComparison.Ordinal) && !p.Key.StartsWith("kubectl.kubernetes.io/", StringComparison.Ordinal)
            && p.Key is not (ControllerVersionAnnotation or NameOverride or ServiceType)).ToDictionary(), StringComparer.Ordinal);
}

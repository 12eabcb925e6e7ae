using System.Globalization;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

internal static class ServiceDecoder
{
    public static Resource Decode(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        var conditions = ConditionTypes(root);
        return root.Object("spec", spec =>
        {
            spec.Ignore("allocateLoadBalancerNodePorts", "externalIPs", "externalName", "externalTrafficPolicy", "healthCheckNodePort", "ipFamilyPolicy",
                "loadBalancerClass", "loadBalancerIP", "loadBalancerSourceRanges", "sessionAffinity", "sessionAffinityConfig");
            var ips = spec.Strings("clusterIPs");
            var single = spec.String("clusterIP");
            return new Service
            {
                Meta = meta,
                Position = position,
                Type = spec.String("type") ?? "ClusterIP",
                ClusterIps = ips.Count > 0 ? ips : string.IsNullOrEmpty(single) ? [] : [single],
                Selector = spec.StringMap("selector") ?? new Dictionary<string, string>(StringComparer.Ordinal),
                Ports = spec.Objects("ports", Port),
                IpFamilies = spec.Strings("ipFamilies"),
                InternalTrafficPolicy = spec.String("internalTrafficPolicy"),
                TrafficDistribution = spec.String("trafficDistribution"),
                PublishNotReadyAddresses = spec.Bool("publishNotReadyAddresses") ?? false,
                ConditionTypes = conditions,
            };
        }) ?? new Service { Meta = meta, Position = position, ConditionTypes = conditions };
    }

    /// <summary>Types of the conditions that a document already carries in its status.</summary>
    public static IReadOnlyList<string> ConditionTypes(FieldReader root)
    {
        IReadOnlyList<string> types = [];
        root.Object("status", status =>
        {
            status.Ignore("loadBalancer", "addresses", "validationMessages", "observedGeneration");
            types = [.. status.Objects("conditions", ConditionType).Select(c => c.Type)];
        });
        return types;
    }

    private sealed record TypeHolder(string Type);

    private static TypeHolder ConditionType(FieldReader c)
    {
        c.Ignore("status", "reason", "message", "lastTransitionTime", "lastProbeTime", "observedGeneration");
        return new TypeHolder(c.String("type") ?? "");
    }

    private static ServicePort Port(FieldReader p)
    {
        var target = p.NumberOrName("targetPort");
        var number = int.TryParse(target, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : (int?)null;
        return new ServicePort(p.String("name") ?? "", p.Port("port") ?? 0, p.String("protocol") ?? "TCP", number, number is null ? target : null, p.String("appProtocol"), p.Int("nodePort") ?? 0);
    }
}

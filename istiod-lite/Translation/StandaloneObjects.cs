using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

/// <summary>Objects that controllers of a cluster would make and a folder of files does not hold: the Service of each waypoint Gateway.</summary>
internal static class StandaloneObjects
{
    public static ResourceSet Complete(ResourceSet resources)
    {
        var classes = resources.GatewayClasses.ToDictionary(c => c.Name, StringComparer.Ordinal);
        var made = new List<Resource>();
        foreach (var gateway in resources.Gateways)
        {
            if (!WaypointCatalog.IsManagedWaypoint(gateway, classes.GetValueOrDefault(gateway.ClassName)) || gateway.SpecAddresses.Count > 0)
                continue;
            if (resources.Find<Service>("Service", gateway.Namespace, gateway.Name) is null)
                made.Add(ServiceOf(gateway));
        }
        return made.Count == 0 ? resources : new ResourceSet(resources.All.Concat(made));
    }

    private static Service ServiceOf(Gateway gateway)
    {
        var selector = new Dictionary<string, string>(StringComparer.Ordinal) { [WellKnown.GatewayName] = gateway.Name };
        return new Service
        {
            Position = gateway.Position,
            Meta = new ObjectMeta
            {
                Name = gateway.Name,
                Namespace = gateway.Namespace,
                Created = gateway.Meta.Created,
                Labels = new Dictionary<string, string>(selector, StringComparer.Ordinal) { [WellKnown.GatewayManaged] = "istio.io-mesh-controller" },
                Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [WellKnown.TrafficDistribution] = "PreferClose" },
            },
            Selector = selector,
            Ports =
            [
                new ServicePort("status-port", 15021, "TCP", 15021, null, null),
                new ServicePort("mesh", (int)WellKnown.HbonePort, "TCP", (int)WellKnown.HbonePort, null, "hbone"),
            ],
        };
    }
}

using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Status;

/// <summary>listeners[].attachedRoutes: how many routes name a listener and may (Gateway API). A listener of a waypoint takes none: its routes name Services.</summary>
internal static class AttachedRoutes
{
    public static int Count(Gateway gateway, GatewayListener listener, ResourceSet resources)
    {
        if (listener.Protocol is not ("HTTP" or "HTTPS"))
            return 0;
        return resources.HttpRoutes.Count(route => IsAllowed(route, gateway, listener, resources) && route.Parents.Any(p => Names(p, route, gateway, listener)));
    }

    private static bool Names(RouteReference parent, GatewayRoute route, Gateway gateway, GatewayListener listener) =>
        parent.Kind is null or "Gateway" && parent.Name == gateway.Name && (parent.Namespace ?? route.Namespace) == gateway.Namespace
        && (parent.SectionName is null || parent.SectionName == listener.Name) && (parent.Port is null || parent.Port == listener.Port);

    private static bool IsAllowed(GatewayRoute route, Gateway gateway, GatewayListener listener, ResourceSet resources) => listener.AllowedFrom switch
    {
        "All" => true,
        "Selector" => resources.Namespaces.FirstOrDefault(n => n.Name == route.Namespace) is { } ns && listener.AllowedNamespaces?.Matches(ns.Meta.Labels) is true,
        _ => route.Namespace == gateway.Namespace,
    };
}

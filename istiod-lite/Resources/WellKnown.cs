namespace Mesh.IstiodLite.Resources;

/// <summary>Labels, annotations and names that Istio, Kubernetes and Gateway API defined (reference: their public registries).</summary>
internal static class WellKnown
{
    public const string Redirection = "ambient.istio.io/redirection";
    public const string InboundBinding = "ambient.istio.io/waypoint-inbound-binding";
    public const string TunnelLabel = "networking.istio.io/tunnel";
    public const string UseWaypoint = "istio.io/use-waypoint";
    public const string UseWaypointNamespace = "istio.io/use-waypoint-namespace";
    public const string UseWaypointCanary = "istio.io/use-waypoint-canary";
    public const string UseWaypointCanaryNamespace = "istio.io/use-waypoint-canary-namespace";
    public const string UseWaypointCanaryWeight = "istio.io/use-waypoint-canary-weight";
    public const string IngressUseWaypoint = "istio.io/ingress-use-waypoint";
    public const string WaypointFor = "istio.io/waypoint-for";
    /// <summary>Ours, as Istio had it until 1.21: a waypoint for one service account. Accepted as annotation and as label of a Gateway.</summary>
    public const string ForServiceAccount = "istio.io/for-service-account";
    public const string Revision = "istio.io/rev";
    public const string DryRun = "istio.io/dry-run";
    public const string ConnectStrategy = "istio.io/connect-strategy";
    public const string Network = "topology.istio.io/network";
    public const string Region = "topology.kubernetes.io/region";
    public const string Zone = "topology.kubernetes.io/zone";
    public const string Subzone = "topology.istio.io/subzone";
    public const string GatewayName = "gateway.networking.k8s.io/gateway-name";
    public const string GatewayManaged = "gateway.istio.io/managed";
    public const string GatewayServiceAccount = "gateway.istio.io/service-account";
    public const string TrafficDistribution = "networking.istio.io/traffic-distribution";
    public const string AutoAllocateIp = "networking.istio.io/enable-autoallocate-ip";
    public const string ServiceName = "kubernetes.io/service-name";
    public const string AutoRegistrationGroup = "istio.io/autoRegistrationGroup";

    public const string MeshController = "istio.io/mesh-controller";
    public const string EastWestController = "istio.io/eastwest-controller";
    public const string GatewayController = "istio.io/gateway-controller";
    public const string UnmanagedController = "istio.io/unmanaged-gateway";

    public const uint HbonePort = 15008;
}

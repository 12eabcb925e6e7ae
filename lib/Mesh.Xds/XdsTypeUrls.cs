namespace Mesh.Xds;

/// <summary>Type URLs of everything that is discovered.</summary>
public static class XdsTypeUrls
{
    public const string Address = "type.googleapis.com/istio.workload.Address";
    public const string Authorization = "type.googleapis.com/istio.security.Authorization";
    public const string WaypointService = "type.googleapis.com/mesh.waypoint.v1.Service";
    public const string WaypointCluster = "type.googleapis.com/mesh.waypoint.v1.Cluster";
    public const string WaypointRequestPolicy = "type.googleapis.com/mesh.waypoint.v1.RequestPolicy";
}

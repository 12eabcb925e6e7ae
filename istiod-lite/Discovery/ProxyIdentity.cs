using Envoy.Service.Discovery.V3;
using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Translation;
using Mesh.Xds.Grpc;

namespace Mesh.IstiodLite.Discovery;

/// <summary>Does the proxy that a node claims to be fit to the token it came with (reference: istiod 3.1)? Refuses by <see cref="GrpcException"/>.</summary>
internal static class ProxyIdentity
{
    /// <summary>"namespace/gateway" for a waypoint, null for a node agent or any other workload.</summary>
    public static string? Check(Caller caller, Node node, WaypointCatalog waypoints)
    {
        // type~ip~pod.namespace~domain
        var parts = node.Id.Split('~');
        if (parts.Length != 4)
            throw new GrpcException(GrpcStatusCode.InvalidArgument, $"the node id \"{node.Id}\" must have four parts separated by ~");
        switch (caller)
        {
            case NodeCaller agent when Metadata(node, "NODE_NAME") is { Length: > 0 } name && name != agent.Node:
                throw new GrpcException(GrpcStatusCode.PermissionDenied, $"the token is for {agent.Node}, the proxy says it runs on {name}");
            case NodeCaller:
                return parts[0] is "waypoint" ? throw new GrpcException(GrpcStatusCode.PermissionDenied, "a node's token cannot be used by a waypoint") : null;
            case WorkloadCaller workload:
                if (Metadata(node, "NAMESPACE") is { Length: > 0 } ns && ns != workload.Namespace)
                    throw new GrpcException(GrpcStatusCode.PermissionDenied, $"the token is for the namespace {workload.Namespace}, the proxy says {ns}");
                if (Metadata(node, "SERVICE_ACCOUNT") is { Length: > 0 } account && account != workload.ServiceAccount)
                    throw new GrpcException(GrpcStatusCode.PermissionDenied, $"the token is for the service account {workload.ServiceAccount}, the proxy says {account}");
                return parts[0] is "waypoint" ? GatewayOf(workload, node, waypoints) : null;
            default:
                return null;
        }
    }

    private static string GatewayOf(WorkloadCaller caller, Node node, WaypointCatalog waypoints)
    {
        var name = Metadata(node, "GATEWAY_NAME") is { Length: > 0 } given ? given : caller.ServiceAccount;
        // An instance runs under the account that is named like its Gateway, or under the account of pods that are labelled as its instances.
        var accounts = waypoints.Find(caller.Namespace, name)?.ServiceAccounts ?? [];
        if (caller.ServiceAccount != name && !accounts.Contains(caller.ServiceAccount, StringComparer.Ordinal))
            throw new GrpcException(GrpcStatusCode.PermissionDenied, $"{caller.Name} is no instance of the Gateway {caller.Namespace}/{name}");
        return $"{caller.Namespace}/{name}";
    }

    private static string? Metadata(Node node, string key) => node.Metadata?.Fields.TryGetValue(key, out var value) is true ? value.StringValue : null;
}

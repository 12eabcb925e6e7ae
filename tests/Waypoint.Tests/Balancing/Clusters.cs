using System.Net;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Mesh.Waypoint.Balancing;

namespace Mesh.Waypoint.Tests.Balancing;

/// <summary>Clusters of 127.40.0.x endpoints.</summary>
internal static class Clusters
{
    public static V1.Cluster Make(int endpoints, Action<V1.Cluster>? change = null, int port = 8080, string name = "shop/orders|80|")
    {
        var cluster = new V1.Cluster { Name = name, Namespace = "shop", Hostname = "orders.shop.svc.cluster.local", Port = 80, Protocol = V1.Protocol.Http1 };
        for (var i = 1; i <= endpoints; i++)
            cluster.Endpoints.Add(Endpoint(i, port));
        change?.Invoke(cluster);
        return cluster;
    }

    public static V1.Endpoint Endpoint(int number, int port = 8080, uint weight = 1) => new()
    {
        WorkloadUid = $"pod-{number}",
        Address = ByteString.CopyFrom(IPAddress.Parse($"127.40.0.{number}").GetAddressBytes()),
        Port = (uint)port,
        Healthy = true,
        Weight = weight,
        WorkloadName = $"pod-{number}",
    };

    public static Duration Seconds(double seconds) => Duration.FromTimeSpan(TimeSpan.FromSeconds(seconds));

    public static ClusterState State(V1.Cluster cluster, TimeProvider time, int seed = 3)
    {
        var registry = new ClusterRegistry(time, new Random(seed));
        registry.Apply(registry.Compile(cluster));
        return registry.Reference(cluster.Name);
    }

    public static EndpointState[] Endpoints(int count) =>
        [.. Enumerable.Range(1, count).Select(i => new EndpointState(EndpointState.KeyOf("c", Endpoint(i)), Endpoint(i), DateTimeOffset.UnixEpoch))];
}

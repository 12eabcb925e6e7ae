using System.Collections.Concurrent;
using Mesh.Waypoint.Balancing;
using Mesh.Xds.Grpc;

namespace Mesh.Waypoint.Forwarding;

/// <summary>One service that the waypoint itself calls. Any thread.</summary>
internal sealed class ServiceClient(HttpMessageHandler transport, string authority)
{
    public HttpMessageInvoker Http { get; } = new(transport, disposeHandler: false);

    public GrpcChannel Grpc { get; } = new(new GrpcChannelOptions { Address = new Uri($"http://{authority}") }, transport);
}

/// <summary>
/// The clients by cluster and authority. They own no connection (endpoints do), so they stay: there are as many as providers were ever configured.
/// </summary>
internal sealed class ServiceClients(ClusterRegistry clusters, IUpstreamDialer dialer, Random random)
{
    private readonly ConcurrentDictionary<(string Cluster, string Authority), ServiceClient> _clients = new();

    public ServiceClient For(string cluster, string authority) => _clients.TryGetValue((cluster, authority), out var client)
        ? client
        : _clients.GetOrAdd((cluster, authority), key => new ServiceClient(Transport(key.Cluster), key.Authority));

    public HttpMessageHandler Transport(string cluster) => new ServiceMessageHandler(clusters.Reference(cluster), dialer, random);
}

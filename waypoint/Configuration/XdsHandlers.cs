using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Mesh.Xds;
using Mesh.Xds.Client;

namespace Mesh.Waypoint.Configuration;

/// <summary>The three resource types of a waypoint as handlers of the discovery client; all good resources of a response are applied, the others listed.</summary>
internal static class XdsHandlers
{
    /// <summary>Clusters first: a route that arrives after its cluster never sees it missing.</summary>
    public static IReadOnlyList<IXdsResourceHandler> Create(WaypointConfiguration configuration) =>
    [
        new Handler<V1.Cluster>(XdsTypeUrls.WaypointCluster, V1.Cluster.Parser, configuration.ApplyClusters),
        new Handler<V1.RequestPolicy>(XdsTypeUrls.WaypointRequestPolicy, V1.RequestPolicy.Parser, configuration.ApplyPolicies),
        new Handler<V1.Service>(XdsTypeUrls.WaypointService, V1.Service.Parser, configuration.ApplyServices),
    ];

    private sealed class Handler<T>(
        string typeUrl,
        MessageParser<T> parser,
        Func<IEnumerable<(string Name, T Resource)>, IEnumerable<string>, IReadOnlyList<RefusedResource>> apply) : IXdsResourceHandler
        where T : IMessage<T>
    {
        public string TypeUrl => typeUrl;

        public XdsApplyResult Apply(DeltaDiscoveryResponse response)
        {
            var rejections = new List<XdsRejection>();
            var changed = new List<(string Name, T Resource)>();
            foreach (var resource in response.Resources)
            {
                try
                {
                    changed.Add((resource.Name, parser.ParseFrom(resource.Resource_.Value)));
                }
                catch (InvalidProtocolBufferException e)
                {
                    rejections.Add(new XdsRejection(resource.Name, $"not a {typeof(T).Name}: {e.Message}"));
                }
            }

            rejections.AddRange(apply(changed, response.RemovedResources).Select(r => new XdsRejection(r.Name, r.Reason)));
            return rejections.Count == 0 ? XdsApplyResult.Accepted : new XdsApplyResult(rejections);
        }
    }
}

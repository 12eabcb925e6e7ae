using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Istio.Workload;
using Mesh.Model;
using Mesh.Xds.Client;

namespace Mesh.Xds.Wds;

/// <summary>Workloads and services into the mesh state: one snapshot change per response, whatever its size.</summary>
public sealed class WdsAddressHandler(MeshState state, Action<string>? warning = null) : IXdsResourceHandler
{
    public string TypeUrl => XdsTypeUrls.Address;

    public XdsApplyResult Apply(DeltaDiscoveryResponse response)
    {
        var update = new MeshUpdate();
        var rejections = WdsResources.Decode(response, Address.Parser, (_, address) => WdsDecoder.Decode(address, update, warning));
        update.RemovedAddresses.AddRange(response.RemovedResources);
        state.Apply(update);
        return rejections;
    }
}

/// <summary>Authorization policies into the mesh state.</summary>
/// <param name="ignoreUnknown">See <see cref="PolicyDecoder.Decode"/>.</param>
public sealed class WdsAuthorizationHandler(MeshState state, Action<string>? warning = null, bool ignoreUnknown = false) : IXdsResourceHandler
{
    public string TypeUrl => XdsTypeUrls.Authorization;

    public XdsApplyResult Apply(DeltaDiscoveryResponse response)
    {
        var update = new MeshUpdate();
        var rejections = WdsResources.Decode(
            response, Istio.Security.Authorization.Parser, (name, policy) => update.Policies.Add(new(name, PolicyDecoder.Decode(policy, warning, ignoreUnknown))));
        update.RemovedPolicies.AddRange(response.RemovedResources);
        state.Apply(update);
        return rejections;
    }
}

/// <summary>Unpacks the resources of a response one by one; what one of them does wrong does not touch the others.</summary>
public static class WdsResources
{
    public static XdsApplyResult Decode<T>(DeltaDiscoveryResponse response, MessageParser<T> parser, Action<string, T> take)
        where T : IMessage<T>
    {
        List<XdsRejection>? rejections = null;
        foreach (var resource in response.Resources)
        {
            try
            {
                if (resource.Resource_ is not { } packed)
                    throw new WdsRejectedException("the resource has no content");
                take(resource.Name, parser.ParseUntrusted(packed.Value.Span));
            }
            catch (Exception e) when (e is WdsRejectedException or MalformedMessageException)
            {
                (rejections ??= []).Add(new XdsRejection(resource.Name, e.Message));
            }
        }

        return rejections is null ? XdsApplyResult.Accepted : new XdsApplyResult(rejections);
    }
}

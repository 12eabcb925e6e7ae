using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Inbound;

/// <summary>A pod's inbound side for callers of the same process.</summary>
internal sealed class NearPod(PodLane lane, InboundAuthorizer authorizer) : INearPod
{
    public ValueTask<NearResult> OpenAsync(NearRequest request) => new NearConnection(lane, authorizer, request).OpenAsync();
}

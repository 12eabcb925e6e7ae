using System.Collections.Concurrent;
using System.Net;
using Mesh.Hbone;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Net;
using Mesh.Ztunnel.Forwarding;

namespace Mesh.Ztunnel.Local;

/// <summary>The pods that this process serves, for connections that need not leave it (<c>ZTUNNEL_SAME_NODE_FAST_PATH</c>). Any thread.</summary>
internal sealed class LocalPods
{
    private readonly ConcurrentDictionary<PodInfo, IReadOnlyDictionary<EventLoop, INearPod>> _pods = new();

    public void Join(PodInfo pod, IReadOnlyDictionary<EventLoop, INearPod> lanes) => _pods[pod] = lanes;

    public void Leave(PodInfo pod, IReadOnlyDictionary<EventLoop, INearPod> lanes) => _pods.TryRemove(KeyValuePair.Create(pod, lanes));

    /// <summary>The destination's side on this loop; null: it is not served by us.</summary>
    public INearPod? Find(Workload? destination, EventLoop loop) =>
        destination is { NetworkMode: not NetworkMode.HostNetwork } && _pods.TryGetValue(new PodInfo(destination.Name, destination.Namespace, destination.ServiceAccount), out var lanes) ? lanes.GetValueOrDefault(loop) : null;
}

/// <summary>What a CONNECT would have told the other side.</summary>
/// <param name="Address">The destination pod's, as a tunnel to it would have been dialled.</param>
/// <param name="Accepted">Identities of which the destination must have one.</param>
internal sealed record NearRequest(IPEndPoint Client, Workload Source, IPAddress Address, string Authority, Service? Service, IReadOnlyList<SpiffeId> Accepted, TraceParent Trace);

/// <summary>The inbound side of a pod on one loop, reached without a tunnel.</summary>
internal interface INearPod
{
    /// <summary>Everything that a tunnel would have gone through: both certificates, the authority, policy, the application.</summary>
    ValueTask<NearResult> OpenAsync(NearRequest request);
}

/// <summary>The application's socket with the inbound side's view of the connection, or a failure in the words of the outbound side.</summary>
internal readonly record struct NearResult(LoopSocket? Application, INearConnection? Inbound, Failure? Failure);

/// <summary>The inbound side of a connection whose bytes the outbound side moves.</summary>
internal interface INearConnection
{
    ITransferMeter Meter { get; }

    /// <summary>Bytes move from now on; <paramref name="cut"/> ends that.</summary>
    void Started(Action<Ending> cut);

    void Complete(TransferResult result);
}

using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Pods;

namespace Mesh.Ztunnel.NodeAgent.Cluster;

/// <summary>What becomes of pods is told to the API server, too.</summary>
internal sealed class ClusterPodEvents(IPodEvents inner, ClusterPods cluster, CaptureWaiters waiters) : IPodEvents
{
    public void PodStarted(string uid, PodInfo info)
    {
        inner.PodStarted(uid, info);
        cluster.Captured(uid);
        waiters.Complete(info, null);
    }

    public void PodStopped(string uid, PodInfo info)
    {
        inner.PodStopped(uid, info);
        cluster.Released(uid);
    }

    public void PodStartFailed(string uid, PodInfo info, string reason)
    {
        inner.PodStartFailed(uid, info, reason);
        cluster.CaptureFailed(uid, reason);
        waiters.Complete(info, reason);
    }

    public void PodRepaired(string uid, PodInfo info)
    {
        inner.PodRepaired(uid, info);
        cluster.Repaired(uid);
    }

    public void PodRecovered(string uid, PodInfo info)
    {
        inner.PodRecovered(uid, info);
        cluster.Captured(uid);
    }

    public void PodsChanged(int running, int pending, bool ready) => inner.PodsChanged(running, pending, ready);
}

/// <summary>Who waits for a pod to be captured: the CNI plugin holds the pod's start until then.</summary>
internal sealed class CaptureWaiters
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(string, string), TaskCompletionSource<string?>> _waiting = [];

    /// <returns>Ends with null when the pod is captured, or with the reason why not.</returns>
    public Task<string?> Expect(string ns, string name)
    {
        var source = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_waiting.Remove((ns, name), out var earlier))
                earlier.TrySetResult("another start of the same pod is under way");
            _waiting[(ns, name)] = source;
        }
        return source.Task;
    }

    public void Complete(PodInfo pod, string? reason)
    {
        lock (_gate)
        {
            if (_waiting.Remove((pod.Namespace, pod.Name), out var source))
                source.TrySetResult(reason);
        }
    }

    public void Forget(string ns, string name)
    {
        lock (_gate)
            _waiting.Remove((ns, name));
    }
}

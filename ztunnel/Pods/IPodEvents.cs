using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Pods;

/// <summary>What the pod manager tells: log lines, the <c>workload_manager_*</c> metrics and readiness hang on it.</summary>
internal interface IPodEvents
{
    void PodStarted(string uid, PodInfo info);

    void PodStopped(string uid, PodInfo info);

    void PodStartFailed(string uid, PodInfo info, string reason);

    void PodRepaired(string uid, PodInfo info);

    /// <summary>A pod whose rules could not be looked at or put right, which was told as a failed start, has them again.</summary>
    void PodRecovered(string uid, PodInfo info)
    {
    }

    /// <param name="ready">The source is connected, its snapshot is complete and no pod waits for a retry.</param>
    void PodsChanged(int running, int pending, bool ready);
}

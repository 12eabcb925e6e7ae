namespace Mesh.Ztunnel.Pods;

/// <summary>Who tells which pods this node serves: istio-cni over its socket, or our own agent. Feeds a <see cref="PodManager"/>, on the control loop.</summary>
internal interface IPodSource
{
    /// <returns>Why it cannot go on, which ends the process; null after <see cref="Stop"/>.</returns>
    Task<string?> RunAsync();

    void Stop();
}

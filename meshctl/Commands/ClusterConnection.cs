using Mesh.Kubernetes;
using Mesh.Kubernetes.Connection;
using Mesh.Kubernetes.Requests;
using Mesh.Meshctl.Install;
using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

/// <summary>Work on a cluster, until it is done or somebody interrupts it; what goes wrong is said with what to do.</summary>
internal static class ClusterConnection
{
    public static async Task<int> RunAsync(string? kubeconfig, string? context, TimeProvider time, Func<KubeClient, CancellationToken, Task<int>> work)
    {
        using var interrupted = new CancellationTokenSource();
        using var signals = Signals.Listen(_ => interrupted.Cancel());
        try
        {
            var file = kubeconfig ?? KubeConfigFile.DefaultPath()
                ?? throw new MeshctlException(ExitCodes.Usage, "no cluster is named: --kubeconfig FILE, or set KUBECONFIG.");
            using var client = new KubeClient(KubeConfigFile.Load(file, context, time), new KubeClientOptions { Time = time, UserAgent = "meshctl" });
            return await work(client, interrupted.Token);
        }
        catch (ClusterConfigurationException e)
        {
            throw new MeshctlException(ExitCodes.Usage, e.Message + ".");
        }
        catch (KubeException e)
        {
            throw new MeshctlException(e.Failure is KubeFailure.Forbidden or KubeFailure.Unauthorized ? ExitCodes.Permission : ExitCodes.Unavailable, $"{e.Message}{Remedies.ForFailure(e.Failure)}.");
        }
    }
}

using System.Diagnostics;

namespace Mesh.IstiodLite.Tests.OnKubernetes;

/// <summary>The executable on a cluster: its settings, and its end.</summary>
public sealed class ClusterProcessTests
{
    [Fact]
    public async Task Process_ServesTheClusterOfAKubeConfig_AndGivesTheLeaseBack()
    {
        await using var rig = await ClusterRig.StartAsync();
        using var process = ControlPlaneProcess.Launch("--kubeconfig", rig.KubeConfig, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--webhook", "127.0.0.1:0");
        var output = process.StandardOutput.ReadToEndAsync();
        try
        {
            await rig.ObjectAsync("", "configmaps", "shop", "istio-ca-root-cert", _ => true);
            Assert.NotEqual("", (string?)rig.Server.Get("coordination.k8s.io", "leases", "istio-system", "istiod-lite")!["spec"]!["holderIdentity"]);
            using (var term = Process.Start("kill", $"-TERM {process.Id}"))
                await term.WaitForExitAsync();
            await process.WaitForExitAsync().WaitAsync(ClusterRig.Patience);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
        Assert.Equal(0, process.ExitCode);
        Assert.Equal("", (string?)rig.Server.Get("coordination.k8s.io", "leases", "istio-system", "istiod-lite")!["spec"]!["holderIdentity"]);
        Assert.DoesNotContain(rig.Token, await output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(64, "say what to serve")]
    [InlineData(64, "say what to serve", "--in-cluster", "--kubeconfig", "x")]
    [InlineData(78, "the kubeconfig /nowhere cannot be read", "--kubeconfig", "/nowhere")]
    [InlineData(78, "this is not a pod", "--in-cluster")]
    public async Task WrongSettings_AreNamed(int code, string expected, params string[] arguments)
    {
        var (exit, _, error) = await ControlPlaneProcess.RunAsync(arguments);
        Assert.Equal(code, exit);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }
}

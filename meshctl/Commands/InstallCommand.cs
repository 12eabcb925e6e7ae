using CommandLine;

using Mesh.Kubernetes;
using Mesh.Kubernetes.Requests;
using Mesh.Meshctl.Install;
using Mesh.Meshctl.Install.Probe;
using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

[Verb("install", HelpText = "Install the mesh into a Kubernetes cluster: checks first, then applies, then waits until it runs.")]
internal sealed class InstallOptions : ChartOptions
{
    [Option("force", HelpText = "Apply although a check failed.")]
    public bool Force { get; set; }

    [Option("wait", Default = "5m", HelpText = "How long to wait until control plane and agents run; 0 does not wait.")]
    public string Wait { get; set; } = string.Empty;

    [Option("probe", HelpText = "Afterwards let a pair of pods speak through the mesh, and remove them again.")]
    public bool Probe { get; set; }

    [Option("probe-timeout", Default = InstallCommand.ProbePatience, HelpText = "How long the probe may take.")]
    public string ProbeTimeout { get; set; } = InstallCommand.ProbePatience;
}

[Verb("upgrade", HelpText = "Bring an installed mesh to this version and these values; objects that this version no longer has are removed.")]
internal sealed class UpgradeOptions : ChartOptions
{
    [Option("wait", Default = "5m", HelpText = "How long to wait until control plane and agents run; 0 does not wait.")]
    public string Wait { get; set; } = string.Empty;

    [Option("probe", HelpText = "Afterwards let a pair of pods speak through the mesh, and remove them again.")]
    public bool Probe { get; set; }

    [Option("probe-timeout", Default = InstallCommand.ProbePatience, HelpText = "How long the probe may take.")]
    public string ProbeTimeout { get; set; } = InstallCommand.ProbePatience;
}

[Verb("uninstall", HelpText = "Take the mesh out of a cluster. Pods keep talking; the documents that people wrote stay.")]
internal sealed class UninstallOptions : ChartOptions
{
    [Option("purge", HelpText = "Remove the definitions of the kinds, too, and with them every document of these kinds.")]
    public bool Purge { get; set; }
}

[Verb("check", HelpText = "Look at a cluster: can the mesh be installed, what would be in its way, what to do about it.")]
internal sealed class CheckOptions : ClusterOptions
{
    [Option("probe", HelpText = "Of an installed mesh: let a pair of pods speak through it, and remove them again.")]
    public bool Probe { get; set; }

    [Option("probe-timeout", Default = InstallCommand.ProbePatience, HelpText = "How long the probe may take.")]
    public string ProbeTimeout { get; set; } = InstallCommand.ProbePatience;

    [Option("dry-run", HelpText = "With --probe: print what would be put into the cluster for a moment, and change nothing.")]
    public bool DryRun { get; set; }
}

/// <summary>The commands for people without Helm.</summary>
internal static class InstallCommand
{
    public const string ProbePatience = "2m";

    public const string Headline = "The mesh, rendered from deploy/helm/mesh with its default values: meshctl install --dry-run";

    public static async Task<int> RunAsync(InstallOptions options, TimeProvider time)
    {
        var manifest = options.Render();
        var code = await WithClusterAsync(options, time, manifest, (client, installer, _, cancel) => InstallAsync(options, client, installer, manifest, cancel));
        if (options is { DryRun: true, Probe: true })
            Console.Write(new ProbeObjects("mesh-probe-0", MeshProbe.ImageOf(manifest.Objects.First(o => o.Kind == "DaemonSet").Body)).ToYaml());
        return code;
    }

    private static async Task InstallAsync(InstallOptions options, KubeClient client, Installer installer, Manifest manifest, CancellationToken cancel)
    {
        var results = await new Preflight(client, options.Namespace).RunAsync(cancel);
        Print(results.Where(r => r.Outcome is not CheckOutcome.Passed));
        if (results.Any(r => r.Outcome is CheckOutcome.Failed) && !options.Force)
            throw new MeshctlException(ExitCodes.Configuration, "nothing was changed: a check failed (see above). Mend it, or add --force.");
        await installer.ApplyAsync(manifest, cancel);
        await WaitAsync(installer, manifest, options.Wait, cancel);
        if (options.Probe && await ProbeAsync(client, options.Namespace, options.ProbeTimeout, cancel) is { Outcome: CheckOutcome.Failed })
            throw new MeshctlException(ExitCodes.Failure, "the mesh is installed, and the probe did not get through it (see above).");
        Console.WriteLine("the mesh is installed. Put a namespace into it: kubectl label namespace default istio.io/dataplane-mode=ambient");
    }

    public static Task<int> RunAsync(UpgradeOptions options, TimeProvider time) => WithClusterAsync(options, time, options.Render(), async (client, installer, manifest, cancel) =>
    {
        if (!await IsInstalledAsync(client, options.Namespace, cancel))
            throw new MeshctlException(ExitCodes.Unavailable, $"there is no mesh in namespace {options.Namespace}: meshctl install -n {options.Namespace}.");
        await installer.ApplyAsync(manifest, cancel);
        await installer.PruneAsync(manifest, cancel);
        await WaitAsync(installer, manifest, options.Wait, cancel);
        if (options.Probe && await ProbeAsync(client, options.Namespace, options.ProbeTimeout, cancel) is { Outcome: CheckOutcome.Failed })
            throw new MeshctlException(ExitCodes.Failure, "the mesh is of this version, and the probe did not get through it (see above).");
        Console.WriteLine("the mesh is of this version. Open connections stay with the old agents until they end, at most for the grace period.");
    });

    public static Task<int> RunAsync(UninstallOptions options, TimeProvider time) => WithClusterAsync(options, time, options.Render(), async (_, installer, manifest, cancel) =>
    {
        await installer.RemoveAsync(manifest, options.Purge, cancel);
        Console.WriteLine(options.Purge ? "the mesh, its kinds and all their documents are gone." : "the mesh is gone; kinds and documents stay (--purge removes them, too).");
    });

    public static Task<int> RunAsync(CheckOptions options, TimeProvider time) => ConnectedAsync(options, time, async (client, cancel) =>
    {
        if (options.DryRun)
        {
            var agents = await client.FindAsync(ResourceTypes.DaemonSets, options.Namespace, "ztunnel", InstallJson.Default.JsonObject, cancel);
            Console.Write(new ProbeObjects("mesh-probe-0", MeshProbe.ImageOf(agents ?? [])).ToYaml());
            return ExitCodes.Ok;
        }

        var results = (await new Preflight(client, options.Namespace).RunAsync(cancel)).ToList();
        Print(results);
        if (options.Probe)
            results.Add(await ProbeAsync(client, options.Namespace, options.ProbeTimeout, cancel));
        return results.Any(r => r.Outcome is CheckOutcome.Failed) ? ExitCodes.Failure : ExitCodes.Ok;
    });

    private static async Task<CheckResult> ProbeAsync(KubeClient client, string home, string patience, CancellationToken cancel)
    {
        if (!DurationText.TryParse(patience, out var limit) || limit <= TimeSpan.Zero)
            throw new MeshctlException(ExitCodes.Usage, $"--probe-timeout {patience}: write a duration such as 2m or 90s.");
        var result = await new MeshProbe(client, home, Console.WriteLine).RunAsync(limit, cancel);
        Print([result]);
        return result;
    }

    private static async Task<int> WithClusterAsync(ChartOptions options, TimeProvider time, Manifest manifest, Func<KubeClient, Installer, Manifest, CancellationToken, Task> work)
    {
        if (options.DryRun)
        {
            Console.Write(manifest.ToYaml(Headline));
            return ExitCodes.Ok;
        }

        return await ConnectedAsync(options, time, async (client, cancel) =>
        {
            await work(client, new Installer(client, Console.WriteLine), manifest, cancel);
            return ExitCodes.Ok;
        });
    }

    private static Task<int> ConnectedAsync(ClusterOptions options, TimeProvider time, Func<KubeClient, CancellationToken, Task<int>> work) =>
        ClusterConnection.RunAsync(options.Kubeconfig, options.Context, time, work);

    private static async Task WaitAsync(Installer installer, Manifest manifest, string wait, CancellationToken cancel)
    {
        if (wait == "0")
            return;
        if (!DurationText.TryParse(wait, out var patience))
            throw new MeshctlException(ExitCodes.Usage, $"--wait {wait}: write a duration such as 5m or 90s, or 0.");
        await installer.WaitUntilRunningAsync(manifest, patience, cancel);
    }

    private static async Task<bool> IsInstalledAsync(KubeClient client, string home, CancellationToken cancel)
    {
        try
        {
            await client.GetAsync(ResourceTypes.DaemonSets.ObjectPath(home, "ztunnel"), InstallJson.Default.JsonObject, cancel);
            return true;
        }
        catch (KubeException e) when (e.Failure is KubeFailure.NotFound)
        {
            return false;
        }
    }

    private static void Print(IEnumerable<CheckResult> results)
    {
        foreach (var result in results)
        {
            Console.WriteLine($"{Mark(result.Outcome)}  {result.Name}: {result.Found}");
            if (result.Remedy.Length > 0)
                Console.WriteLine($"      {result.Remedy}");
        }
    }

    private static string Mark(CheckOutcome outcome) => outcome switch
    {
        CheckOutcome.Passed => "ok  ",
        CheckOutcome.Warning => "WARN",
        _ => "FAIL",
    };
}

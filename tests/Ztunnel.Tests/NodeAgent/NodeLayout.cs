using System.Diagnostics;
using System.Globalization;
using System.Net;
using Mesh.Model.Collections;
using Mesh.Net;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.NodeAgent;

namespace Mesh.Ztunnel.Tests.NodeAgent;

/// <summary>A stand-in for a node's /proc and control groups; the network namespaces in it are real ones.</summary>
internal sealed class NodeLayout : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("mesh-node-").FullName;

    public NodeLayout() => Process(1, started: 1, "0::/init.scope", "/proc/self/ns/net");

    public NamespaceFinder Finder => new(Path.Combine(_root, "proc"), Path.Combine(_root, "cgroup"));

    public static NodePod Pod(string uid, params string[] addresses) =>
        new(uid, new PodInfo(uid, "default", "sa"), addresses.Select(IPAddress.Parse).ToValueList());

    /// <param name="namespacePath">What its ns/net leads to.</param>
    public void Process(int id, long started, string cgroup, string namespacePath)
    {
        var folder = Path.Combine(_root, "proc", id.ToString(CultureInfo.InvariantCulture));
        Directory.CreateDirectory(Path.Combine(folder, "ns"));
        File.WriteAllText(Path.Combine(folder, "cgroup"), cgroup + "\n");
        File.WriteAllText(Path.Combine(folder, "stat"), $"{id} (a (strange) name) S 1 {id} {id} 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {started} 100 200\n");
        File.CreateSymbolicLink(Path.Combine(folder, "ns", "net"), namespacePath);
    }

    public void PodProcess(int id, long started, string uid, NetworkNamespace network) => Process(id, started, CgroupOf(uid), PathOf(network));

    public static string CgroupOf(string uid) => $"0::/kubepods.slice/kubepods-pod{uid}.slice/cri-containerd-ab.scope";

    public static string PathOf(NetworkNamespace network) => string.Create(CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/fd/{network.Descriptor}");

    public static void Run(NetworkNamespace network, string tool, params string[] arguments)
    {
        using var process = network.StartProcess(new ProcessStartInfo(tool, arguments) { UseShellExecute = false, RedirectStandardError = true });
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{tool} {string.Join(' ', arguments)}: {errors}");
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}

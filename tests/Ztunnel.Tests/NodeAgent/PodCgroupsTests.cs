using System.Globalization;
using Mesh.Ztunnel.NodeAgent;

namespace Mesh.Ztunnel.Tests.NodeAgent;

/// <summary>Control groups as kubelet and the runtimes name them.</summary>
public sealed class PodCgroupsTests : IDisposable
{
    private const string Uid = "1f0e7a52-7d4e-4c41-9b0e-3b8f2f5f8b11";
    private const string Underscored = "1f0e7a52_7d4e_4c41_9b0e_3b8f2f5f8b11";

    private readonly string _root = Directory.CreateTempSubdirectory("mesh-cgroups-").FullName;

    private PodCgroups Cgroups => new(Path.Combine(_root, "cgroup"), Path.Combine(_root, "proc"));

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private void Group(string path, params int[] processes) => Write(Path.Combine("cgroup", path, "cgroup.procs"), string.Join('\n', processes.Select(p => p.ToString(CultureInfo.InvariantCulture))) + "\n");

    private void Process(int id, string cgroup) => Write($"proc/{id}/cgroup", cgroup + "\n");

    private void Write(string path, string text)
    {
        var file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }

    [Theory]
    [InlineData($"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{Underscored}.slice/cri-containerd-ab.scope")]
    [InlineData($"kubepods.slice/kubepods-pod{Underscored}.slice/crio-ab.scope/container")]
    [InlineData($"kubepods/besteffort/pod{Uid}/ab")]
    [InlineData($"kubepods/pod{Uid}/ab")]
    [InlineData($"pids/kubepods/burstable/pod{Uid}/ab")]
    [InlineData($"kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod{Underscored}.slice/cri-containerd-ab.scope")]
    public void ProcessesOfAPod_AreFound_HoweverTheGroupsAreLaidOut(string path)
    {
        Group(path, 41, 7);
        Group("system.slice/containerd.service", 3);
        Assert.Equal([7, 41], Cgroups.ProcessesOf(Uid).Order());
    }

    [Fact]
    public void SandboxAndContainers_AreTogether()
    {
        var pod = $"kubepods.slice/kubepods-pod{Underscored}.slice";
        Group(pod);
        Group(pod + "/cri-containerd-sandbox.scope", 100);
        Group(pod + "/cri-containerd-app.scope", 200, 201);
        Assert.Equal([100, 200, 201], Cgroups.ProcessesOf(Uid).Order());
    }

    [Fact]
    public void UidThatBeginsLikeAnother_IsNotIt()
    {
        Group($"kubepods/pod{Uid}7/ab", 5);
        Process(6, $"0::/kubepods/pod{Uid}7/ab");
        Assert.Empty(Cgroups.ProcessesOf(Uid));
    }

    [Fact]
    public void GroupsThatNumberProcessesOtherwise_AreReplacedByALookAtEachProcess()
    {
        // Seen from another process id namespace the kernel writes 0.
        Group($"kubepods/pod{Uid}/ab", 0);
        Process(12, "0::/system.slice/sshd.service");
        Process(13, $"0::/kubepods.slice/kubepods-pod{Underscored}.slice/cri-containerd-ab.scope");
        Process(14, $"12:pids:/kubepods/burstable/pod{Uid}\n1:name=systemd:/kubepods/burstable/pod{Uid}");
        Write("proc/self/cgroup", $"0::/kubepods/pod{Uid}/ab");
        Assert.Equal([13, 14], Cgroups.ProcessesOf(Uid).Order());
    }

    [Fact]
    public void NodeWithoutControlGroups_HasNoPods() => Assert.Empty(new PodCgroups(Path.Combine(_root, "nowhere"), Path.Combine(_root, "nowhere")).ProcessesOf(Uid));
}

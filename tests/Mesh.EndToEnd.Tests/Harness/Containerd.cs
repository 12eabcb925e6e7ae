using Mesh.Testing;

namespace Mesh.EndToEnd.Tests.Harness;

/// <summary>A containerd of the test's own: what it keeps is in one folder, and it ends with the test.</summary>
internal sealed class Containerd : IAsyncDisposable
{
    private readonly string _socket;
    private readonly Command _daemon;
    private readonly List<string> _containers = [];

    private Containerd(string socket, Command daemon) => (_socket, _daemon) = (socket, daemon);

    public static async Task<Containerd> StartAsync(string folder)
    {
        var socket = Path.Combine(folder, "containerd.sock");
        var configuration = Path.Combine(folder, "containerd.toml");
        await File.WriteAllTextAsync(configuration, $"""
            version = 2
            root = "{folder}/containerd-root"
            state = "{folder}/containerd-state"
            disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
            [grpc]
              address = "{socket}"
            [ttrpc]
              address = "{socket}.ttrpc"

            """);
        var daemon = Command.Start(["sh", "-c", $"exec containerd --config '{configuration}' 2>&1"]);
        await Wait.UntilAsync(() => File.Exists(socket), () => $"containerd's socket; so far: {daemon.OutputSoFar}");
        return new Containerd(socket, daemon);
    }

    public Task<CommandResult> CtrAsync(params string[] arguments) => Command.RunAsync(["ctr", "--address", _socket, .. arguments]);

    /// <returns>The image's name.</returns>
    public async Task<string> ImportAsync(string layout, string name)
    {
        var archive = $"{layout}.tar";
        (await Command.RunAsync(["tar", "-C", layout, "-cf", archive, "."])).Expect(0);
        (await CtrAsync("image", "import", "--snapshotter", "native", "--base-name", name, archive)).Expect(0);
        return (await CtrAsync("image", "ls", "-q")).Expect(0).Output.Trim();
    }

    /// <summary>As a kubelet has pods run: with a root file system that is not written to, and the pod's network namespace and control group.</summary>
    public async Task RunAsync(string image, string container, string network, string cgroup, params string[] command)
    {
        _containers.Add(container);
        (await CtrAsync(["run", "-d", "--snapshotter", "native", "--read-only", "--env", "DOTNET_EnableDiagnostics=0", "--cgroup", cgroup, "--with-ns", $"network:/run/netns/{network}", image, container, .. command])).Expect(0);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var container in _containers)
        {
            await CtrAsync("task", "rm", "--force", container);
            await CtrAsync("container", "rm", container);
        }
        await _daemon.SignalAsync("TERM");
        await _daemon.EndAsync();
        _daemon.Dispose();
    }
}

/// <summary>Needs what making the image needs, a container runtime, and control groups that may be made.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ContainerdFactAttribute : FactAttribute
{
    private static readonly string[] Hierarchies = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"];

    public ContainerdFactAttribute() => Skip = Prerequisites.MissingRoot() ?? Prerequisites.MissingTools("dotnet", "git", "tar", "gzip", "nft", "iptables", "ldconfig", "ip", "ss", "containerd", "ctr", "runc") ?? NoControlGroups();

    private static string? NoControlGroups()
    {
        var folder = Path.Combine(Hierarchies.FirstOrDefault(Directory.Exists) ?? "/sys/fs/cgroup", $"mesh-may-{Environment.ProcessId}");
        try
        {
            Directory.CreateDirectory(folder);
            Directory.Delete(folder);
            return null;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            return $"no control group can be made here: {refused.Message}";
        }
    }
}

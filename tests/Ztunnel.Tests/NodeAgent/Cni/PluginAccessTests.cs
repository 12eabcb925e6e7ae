using Mesh.Kubernetes.Connection;
using Mesh.Runtime.Logging;
using Mesh.Testing.Kubernetes;
using Mesh.Ztunnel.NodeAgent.Cni;

namespace Mesh.Ztunnel.Tests.NodeAgent.Cni;

/// <summary>What the agent leaves on the node for the plugin holds a credential.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class PluginAccessTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-cni-access-").FullName;

    private string Access => Path.Combine(_folder, "cni-access.json");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task File_IsForRootAlone_StaysForWhenTheAgentIsAway_AndGoesWithTheMesh()
    {
        await using var server = new FakeApiServer();
        await server.StartAsync();
        var kubeconfig = Path.Combine(_folder, "kubeconfig");
        await File.WriteAllTextAsync(kubeconfig, server.KubeConfig());
        var cluster = KubeConfigFile.Load(kubeconfig, null, TimeProvider.System);

        await using (var access = new PluginAccess(Access, cluster, Sink(), TimeProvider.System))
        {
            var there = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var watcher = new FileSystemWatcher(_folder, Path.GetFileName(Access));
            watcher.Renamed += (_, _) => there.TrySetResult();
            watcher.EnableRaisingEvents = true;
            access.Start();
            await there.Task.WaitAsync(TimeSpan.FromSeconds(30));
        }
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Access));
        Assert.Contains(cluster.Server.Host, await File.ReadAllTextAsync(Access), StringComparison.Ordinal);

        await File.WriteAllTextAsync(Access + ".new", "half of one");
        await using var last = new PluginAccess(Access, cluster, Sink(), TimeProvider.System);
        await last.RemoveAsync();
        Assert.Equal([kubeconfig], Directory.EnumerateFiles(_folder));
    }

    private static LogSink Sink() => new(Stream.Null, LogFormat.Text, LogFilter.Default, TimeProvider.System);
}

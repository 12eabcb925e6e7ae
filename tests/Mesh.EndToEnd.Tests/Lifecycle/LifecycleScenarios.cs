using Mesh.EndToEnd.Tests.Harness;

namespace Mesh.EndToEnd.Tests.Lifecycle;

/// <summary>What must hold for every user alike.</summary>
internal static class LifecycleScenarios
{
    public static async Task DownLeavesNothingAsync(MeshUser user)
    {
        var before = await Leftovers.TakeAsync();
        await using var mesh = await TestMesh.UpAsync(user, "--bare");
        await mesh.RunAsync("a", ["--no-mesh", "--node", "node-1"], "sleep", "1000");
        await mesh.RunAsync("b", ["--no-mesh", "--node", "node-2"]);
        Assert.NotEmpty(Leftovers.Processes(mesh.Name));
        (await mesh.MeshctlAsync("down")).Expect(0);
        await Leftovers.AssertNothingOfAsync(mesh, before);
    }

    public static async Task DaemonKilledAsync(MeshUser user)
    {
        var before = await Leftovers.TakeAsync();
        await using var mesh = await TestMesh.UpAsync(user, "--bare");
        await mesh.RunAsync("a", ["--no-mesh"], "sleep", "1000");
        await KillDaemonAsync(mesh);
        await Wait.UntilAsync(() => Leftovers.Processes(mesh.Name).Count == 0, () => "the end of every process");
        (await mesh.MeshctlAsync("down")).Expect(0);
        await Leftovers.AssertNothingOfAsync(mesh, before);
    }

    public static async Task SecondRunIsRefusedAsync(MeshUser user)
    {
        await using var mesh = await TestMesh.UpAsync(user, "--bare");
        await mesh.RunAsync("a", ["--no-mesh"], "sleep", "1000");
        var refused = (await mesh.MeshctlAsync("run", "a", "--no-mesh", "-d", "--", "sleep", "1000")).Expect(73);
        Assert.Contains("default/a", refused.Errors, StringComparison.Ordinal);
        Assert.Single((await mesh.StatusAsync()).Pods);
    }

    public static async Task ForegroundRunAsync(MeshUser user)
    {
        await using var mesh = await TestMesh.UpAsync(user, "--bare");
        await mesh.RunAsync("server", ["--no-mesh", "--node", "node-2"]);
        var result = (await mesh.MeshctlAsync("run", "client", "--no-mesh", "--node", "node-1", "--", "sh", "-c", "cat /etc/hosts; echo problem >&2; exit 42")).Expect(42);
        Assert.Contains("198.18.1.10 client", result.Output, StringComparison.Ordinal);
        Assert.Equal("problem", result.Errors.Trim());
        await Wait.UntilAsync(async () => (await mesh.StatusAsync()).Pods.TrueForAll(p => p.Name != "client"), () => "the end of the pod");
    }

    public static async Task TwoMeshesAsync(MeshUser user)
    {
        await using var one = await TestMesh.UpAsync(user, "--bare");
        await using var two = await TestMesh.UpAsync(user, "--bare");
        foreach (var mesh in (TestMesh[])[one, two])
            await mesh.RunAsync("server", ["--no-mesh", "--node", "node-2", "--ready-port", "8080"], "python3", Repository.Script("peer.py"), "serve", "8080", mesh.Name);
        Assert.Equal(await one.AddressOfAsync("server"), await two.AddressOfAsync("server"));
        foreach (var mesh in (TestMesh[])[one, two])
        {
            var answer = await mesh.MeshctlAsync("run", "client", "--no-mesh", "--node", "node-1", "--", "python3", Repository.Script("peer.py"), "name", "198.18.2.10", "8080");
            Assert.Equal(mesh.Name, answer.Output.Trim());
        }
    }

    public static async Task KillDaemonAsync(TestMesh mesh)
    {
        var daemon = mesh.Daemon;
        (await Command.RunAsync(["sh", "-c", $"kill -s KILL {daemon}"])).Expect(0);
        await Wait.UntilAsync(() => !Directory.Exists($"/proc/{daemon}"), () => "the end of the daemon");
    }
}

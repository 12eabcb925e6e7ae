using Mesh.EndToEnd.Tests.Harness;

namespace Mesh.EndToEnd.Tests.Lifecycle;

/// <summary>Namespaces, pods and their end, without proxies: as the user of the tests, which in continuous integration is root.</summary>
public sealed class LifecycleTests
{
    [MeshFact]
    public Task Down_AfterUse_LeavesNothing() => LifecycleScenarios.DownLeavesNothingAsync(MeshUser.Self);

    [MeshFact]
    public Task DaemonKilled_TheKernelRemovesTheRest_DownRemovesTheFiles() => LifecycleScenarios.DaemonKilledAsync(MeshUser.Self);

    [MeshFact]
    public Task Run_SecondPodOfTheSameName_IsRefused() => LifecycleScenarios.SecondRunIsRefusedAsync(MeshUser.Self);

    [MeshFact]
    public Task Run_InTheForeground_PassesOutputAndExitCodeAndRemovesThePod() => LifecycleScenarios.ForegroundRunAsync(MeshUser.Self);

    [MeshFact("python3")]
    public Task Pods_OfTwoMeshesWithTheSameAddresses_DoNotMeet() => LifecycleScenarios.TwoMeshesAsync(MeshUser.Self);

    [MeshFact]
    public async Task Up_AfterACrash_CleansWhatWasLeft()
    {
        await using var crashed = await TestMesh.UpAsync(MeshUser.Self, "--bare");
        await LifecycleScenarios.KillDaemonAsync(crashed);
        Assert.True(Directory.Exists(crashed.StatePath), "a killed mesh keeps its logs");
        await using var next = await TestMesh.UpAsync(MeshUser.Self, "--bare");
        Assert.False(Directory.Exists(crashed.StatePath), "the next mesh removes them");
    }

    [MeshFact]
    public async Task Up_WhileItIsUp_IsRefusedAndTheFirstStays()
    {
        await using var mesh = await TestMesh.UpAsync(MeshUser.Self, "--bare");
        (await mesh.MeshctlAsync("up", "--bare")).Expect(73);
        (await mesh.MeshctlAsync("status")).Expect(0);
    }

    [MeshFact]
    public async Task Run_Interrupted_RemovesThePod()
    {
        await using var mesh = await TestMesh.UpAsync(MeshUser.Self, "--bare");
        using var running = mesh.Start("run", "loop", "--no-mesh", "--", "sh", "-c", "echo started; sleep 1000");
        await running.SaysAsync("started");
        await running.SignalAsync("TERM");
        await running.EndAsync();
        await Wait.UntilAsync(async () => (await mesh.StatusAsync()).Pods.Count == 0, () => "the end of the pod");
    }

    [MeshFact]
    public async Task Run_ClientKilled_RemovesThePodAndItsProcesses()
    {
        await using var mesh = await TestMesh.UpAsync(MeshUser.Self, "--bare");
        var marker = $"sleep {60_000 + (Environment.ProcessId % 10_000)}";
        using var running = mesh.Start("run", "loop", "--no-mesh", "--", "sh", "-c", $"echo started; {marker}");
        await running.SaysAsync("started");
        await running.SignalAsync("KILL");
        await Wait.UntilAsync(async () => (await mesh.StatusAsync()).Pods.Count == 0, () => "the end of the pod");
        Assert.DoesNotContain(marker, (await Command.RunAsync(["ps", "ax", "-o", "args"])).Output.Split('\n'));
    }

    [MeshFact]
    public async Task Delete_OfAPod_FreesNameAndAddress()
    {
        await using var mesh = await TestMesh.UpAsync(MeshUser.Self, "--bare");
        await mesh.RunAsync("a", ["--no-mesh", "--node", "node-1"], "sleep", "1000");
        var address = await mesh.AddressOfAsync("a");
        (await mesh.MeshctlAsync("delete", "a")).Expect(0);
        await mesh.RunAsync("a", ["--no-mesh", "--node", "node-1"], "sleep", "1000");
        Assert.Equal(address, await mesh.AddressOfAsync("a"));
    }

    [MeshFact]
    public async Task Run_ProgramEnds_ThePodSaysSo()
    {
        await using var mesh = await TestMesh.UpAsync(MeshUser.Self, "--bare");
        await mesh.RunAsync("short", ["--no-mesh"], "sh", "-c", "echo gone; exit 3");
        await Wait.UntilAsync(async () => (await mesh.StatusAsync()).Pods.Single().State == "exited (3)", () => "exited (3)");
        Assert.Equal("gone\n", await mesh.LogAsync("short"));
    }

    [MeshFact]
    public async Task Run_InMeshWithoutProxies_IsRefusedAndLeavesNoPod()
    {
        await using var mesh = await TestMesh.UpAsync(MeshUser.Self, "--bare");
        (await mesh.MeshctlAsync("run", "a", "-d", "--", "sleep", "1000")).Expect(69);
        Assert.Empty((await mesh.StatusAsync()).Pods);
    }

    [MeshFact]
    public async Task Run_OnANodeThatIsNotThere_NamesTheNodes()
    {
        await using var mesh = await TestMesh.UpAsync(MeshUser.Self, "--bare", "--nodes", "1");
        var refused = (await mesh.MeshctlAsync("run", "a", "--no-mesh", "--node", "node-7", "-d")).Expect(64);
        Assert.Contains("node-1", refused.Errors, StringComparison.Ordinal);
    }
}

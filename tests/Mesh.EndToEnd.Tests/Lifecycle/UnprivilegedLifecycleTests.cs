using Mesh.EndToEnd.Tests.Harness;

namespace Mesh.EndToEnd.Tests.Lifecycle;

/// <summary>The same without root: everything inside one user namespace.</summary>
public sealed class UnprivilegedLifecycleTests
{
    [UnprivilegedMeshFact]
    public Task Down_AfterUse_LeavesNothing() => LifecycleScenarios.DownLeavesNothingAsync(MeshUser.Unprivileged);

    [UnprivilegedMeshFact]
    public Task DaemonKilled_TheKernelRemovesTheRest_DownRemovesTheFiles() => LifecycleScenarios.DaemonKilledAsync(MeshUser.Unprivileged);

    [UnprivilegedMeshFact]
    public Task Run_SecondPodOfTheSameName_IsRefused() => LifecycleScenarios.SecondRunIsRefusedAsync(MeshUser.Unprivileged);

    [UnprivilegedMeshFact]
    public Task Run_InTheForeground_PassesOutputAndExitCodeAndRemovesThePod() => LifecycleScenarios.ForegroundRunAsync(MeshUser.Unprivileged);
}

using Mesh.EndToEnd.Tests.Harness;

namespace Mesh.EndToEnd.Tests.Traffic;

/// <summary>The whole mesh without root, in one user namespace.</summary>
public sealed class UnprivilegedTrafficTests
{
    [UnprivilegedMeshFact("python3")]
    public async Task Mesh_WithoutRoot_EncryptsAndAuthorizesAndLeavesNothing()
    {
        var before = await Leftovers.TakeAsync();
        await using var mesh = await TrafficMesh.StartAsync(MeshUser.Unprivileged);
        await TrafficScenarios.WireIsEncryptedAsync(mesh);
        await TrafficScenarios.StrangerIsRefusedAsync(mesh);
        await TrafficScenarios.NewPolicyCutsOpenConnectionsAsync(mesh);
        (await mesh.MeshctlAsync("down")).Expect(0);
        await Leftovers.AssertNothingOfAsync(mesh, before);
    }
}

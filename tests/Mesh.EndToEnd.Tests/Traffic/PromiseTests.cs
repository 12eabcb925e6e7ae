using Mesh.EndToEnd.Tests.Harness;

namespace Mesh.EndToEnd.Tests.Traffic;

/// <summary>Encrypted, authorized, and a policy means open connections too.</summary>
public sealed class PromiseTests(TrafficMesh mesh) : IClassFixture<TrafficMesh>
{
    private const string Broken =
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata:
          name: broken
        spec:
          action: PERHAPS
        """;

    [MeshFact("python3", "tcpdump")]
    public async Task Wire_DuringARequest_HoldsOnlyTls13() => await TrafficScenarios.WireIsEncryptedAsync(await mesh.Value);

    [MeshFact("python3")]
    public async Task Stranger_UnderAnAllowPolicy_IsRefusedByName() => await TrafficScenarios.StrangerIsRefusedAsync(await mesh.Value);

    [MeshFact("python3")]
    public async Task Policy_ThatForbidsAnOpenConnection_CutsIt() => await TrafficScenarios.NewPolicyCutsOpenConnectionsAsync(await mesh.Value);

    [MeshFact]
    public async Task Apply_OfADocumentWithAFault_NamesFileAndLineAndChangesNothing()
    {
        var running = await mesh.Value;
        var file = Path.Combine(running.Folder, "broken.yaml");
        await File.WriteAllTextAsync(file, Broken);
        var refused = (await running.MeshctlAsync("apply", "-f", file)).Expect(65);
        Assert.Contains($"{file}:", refused.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain((await running.StatusAsync()).Documents, d => d.Name == "broken");
    }

    [MeshFact]
    public async Task Apply_OfTheDemosDocuments_IsAcceptedAllAtOnce()
    {
        await using var own = await TestMesh.UpAsync(MeshUser.Self);
        (await own.MeshctlAsync("apply", "-f", Repository.Documents)).Expect(0);
    }
}

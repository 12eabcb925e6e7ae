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

    [MeshFact("python3")]
    public async Task Wire_DuringARequest_HoldsOnlyTls13() => await TrafficScenarios.WireIsEncryptedAsync(await mesh.Value);

    [MeshFact("python3", "tcpdump")]
    public async Task Recording_ReadByTcpdump_IsWhatWeRead()
    {
        var running = await mesh.Value;
        var file = Path.Combine(running.Folder, "independent.pcap");
        using var tap = running.Start("record", "server", "--write", file);
        await Wait.UntilAsync(() => File.Exists(file) && new FileInfo(file).Length >= 24, () => "the recording");
        (await TrafficMesh.PlayAsync(running, "client", "name")).Expect(0);
        await Wait.UntilAsync(() => Mesh.Meshctl.Wire.WireRecord.Read(File.ReadAllBytes(file)).Packets > 0, () => "a packet");
        await tap.SignalAsync("TERM");
        (await tap.EndAsync()).Expect(0);
        var lines = (await Command.RunAsync(["tcpdump", "-nr", file, "tcp port 15008"])).Expect(0).Output;
        Assert.Contains(".15008", lines, StringComparison.Ordinal);
    }

    [MeshFact("python3")]
    public async Task Stranger_UnderAnAllowPolicy_IsRefusedByName() => await TrafficScenarios.StrangerIsRefusedAsync(await mesh.Value);

    [MeshFact("python3")]
    public async Task Policy_ThatForbidsAnOpenConnection_CutsIt() => await TrafficScenarios.NewPolicyCutsOpenConnectionsAsync(await mesh.Value);

    [MeshFact("python3")]
    public async Task Why_TellsARefusedConnectionAcrossBothNodes()
    {
        var running = await mesh.Value;
        await running.ExecAsync("client", "python3", Repository.Script("peer.py"), "name", await running.AddressOfAsync("server"), "1");
        // The destination's record may come a moment after the client has heard of it.
        CommandResult why = null!;
        await Wait.UntilAsync(async () => (why = await running.MeshctlAsync("why", "client", "server", "--failed", "--output", "json")).Output.Contains("\"inbound\"", StringComparison.Ordinal), () => why.Output + why.Errors);
        var connection = System.Text.Json.JsonDocument.Parse(why.Output).RootElement.GetProperty("connections")[0];
        Assert.Equal(("upstream_refused", "ztunnel-node-2"), (connection.GetProperty("ending").GetString(), connection.GetProperty("ended_by").GetString()));
        Assert.Equal(["ztunnel-node-1", "ztunnel-node-2"], connection.GetProperty("hops").EnumerateArray().Select(h => h.GetProperty("proxy").GetString()));
        Assert.Contains("nothing listens on that port", (await running.MeshctlAsync("why", "--id", connection.GetProperty("trace_id").GetString()!)).Expect(0).Output, StringComparison.Ordinal);
        (await running.MeshctlAsync("why", "nobody-of-that-name")).Expect(1);
    }

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

using Mesh.EndToEnd.Tests.Harness;
using Mesh.Meshctl.Wire;

namespace Mesh.EndToEnd.Tests.Traffic;

/// <summary>The short way between two pods of one node, with programs that know nothing of it.</summary>
public sealed class SameNodeTrafficTests
{
    private const int Hbone = 15008;
    private static readonly MeshUser User = MeshUser.Self with { Prefix = ["env", "ZTUNNEL_SAME_NODE_FAST_PATH=true"] };

    [MeshFact("python3")]
    public async Task PodsOfOneNode_OnTheShortWay_KeepBytesPolicyAndRecords_AndNothingIsOnTheWire()
    {
        await using var mesh = await TestMesh.UpAsync(User);
        await mesh.RunAsync("client", ["--node", "node-1", "--service-account", "client"]);
        await mesh.RunAsync("stranger", ["--node", "node-1", "--service-account", "stranger"]);
        await mesh.RunAsync("far", ["--node", "node-2", "--service-account", "client"]);
        await mesh.RunAsync("server", ["--node", "node-1", "--service-account", "server", "--labels", "app=server", "--ready-port", TrafficMesh.Port], "python3", Repository.Script("peer.py"), "serve", TrafficMesh.Port, "the-server");
        await mesh.ApplyAsync("allow.yaml", TrafficScenarios.AllowClient);
        var recording = Path.Combine(mesh.Folder, "wire.pcap");
        using var tap = mesh.Start("record", "server", "--write", recording);
        await Wait.UntilAsync(() => File.Exists(recording) && new FileInfo(recording).Length >= 24, () => "the recording");

        Assert.Equal("down intact\nup intact\n", (await TrafficMesh.PlayAsync(mesh, "client", "bulk", "8388608")).Expect(0).Output);
        Assert.DoesNotContain("the-server", (await TrafficMesh.PlayAsync(mesh, "stranger", "name")).Output, StringComparison.Ordinal);
        // The other node's client still needs a tunnel, and shows that the recording would have seen one.
        Assert.Equal("the-server\n", (await TrafficMesh.PlayAsync(mesh, "far", "name")).Output);
        await Wait.UntilAsync(() => WireRecord.Read(File.ReadAllBytes(recording)).Handshakes > 0, () => "the other node's handshake");
        var found = WireRecord.Read(await File.ReadAllBytesAsync(recording));
        Assert.True(found.Handshakes == 1 && found.OnlyTls13On(Hbone), found.ToString() + string.Join('\n', found.Foreign));
        Assert.InRange(new FileInfo(recording).Length, 24, 1 << 20);
        await tap.SignalAsync("TERM");
        (await tap.EndAsync()).Expect(0);

        // Through a tunnel the inbound line would name port 15008.
        var application = $"{await mesh.AddressOfAsync("server")}:{TrafficMesh.Port}";
        await LineAsync(mesh, "inbound", $"dst.addr={application}", "sa/client", "sa/server");
        await LineAsync(mesh, "outbound", "sa/client", "sa/server", "ending=\"ok\"");
        await LineAsync(mesh, "inbound", "sa/stranger", "only-the-client");
    }

    private static Task LineAsync(TestMesh mesh, string direction, params string[] parts)
    {
        var seen = string.Empty;
        return Wait.UntilAsync(
            async () => (seen = await mesh.LogAsync("ztunnel-node-1")).Split('\n').Any(l => l.Contains($"direction=\"{direction}\"", StringComparison.Ordinal) && parts.All(p => l.Contains(p, StringComparison.Ordinal))),
            () => $"{direction} with {string.Join(", ", parts)} in:\n{seen}");
    }
}

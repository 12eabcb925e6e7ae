using System.Text;

using Mesh.EndToEnd.Tests.Harness;
using Mesh.Meshctl.Wire;

namespace Mesh.EndToEnd.Tests.Traffic;

/// <summary>What the mesh promises about identities and the wire, for every user alike.</summary>
internal static class TrafficScenarios
{
    internal const string AllowClient =
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata:
          name: only-the-client
        spec:
          selector:
            matchLabels:
              app: server
          rules:
            - from:
                - source:
                    principals: ["cluster.local/ns/default/sa/client"]
        """;

    private const string Nobody =
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata:
          name: maintenance
        spec:
          selector:
            matchLabels:
              app: server
          action: DENY
          rules:
            - from:
                - source:
                    principals: ["*"]
        """;

    public static async Task WireIsEncryptedAsync(TestMesh mesh)
    {
        var recording = Path.Combine(mesh.Folder, "wire.pcap");
        // Pods know only their own link; what leaves the server's pod is what leaves the node.
        using var tap = mesh.Start("record", "server", "--write", recording);
        await Wait.UntilAsync(() => File.Exists(recording) && new FileInfo(recording).Length >= 24, () => "the recording");

        // An identity that has no tunnel yet, so that the handshake is in the recording.
        await mesh.RunAsync("fresh", ["--node", "node-1", "--service-account", $"fresh-{Guid.NewGuid():N}"]);
        var answer = await TrafficMesh.PlayAsync(mesh, "fresh", "name");
        Assert.Equal("the-server\n", answer.Output);
        await Wait.UntilAsync(() => WireRecord.Read(File.ReadAllBytes(recording)).Handshakes > 0, () => "a handshake in the recording");

        var bytes = await File.ReadAllBytesAsync(recording);
        var found = WireRecord.Read(bytes);
        Assert.True(found.OnlyTls13On(15008), found.ToString() + string.Join('\n', found.Foreign));
        await tap.SignalAsync("TERM");
        (await tap.EndAsync()).Expect(0);
        Assert.True(bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes("the-server")) < 0, "the answer is readable");
        (await mesh.MeshctlAsync("delete", "fresh")).Expect(0);
    }

    public static async Task StrangerIsRefusedAsync(TestMesh mesh)
    {
        await mesh.ApplyAsync("allow.yaml", AllowClient);
        Assert.Equal("the-server\n", (await TrafficMesh.PlayAsync(mesh, "client", "name")).Output);
        var refused = await TrafficMesh.PlayAsync(mesh, "stranger", "name");
        Assert.DoesNotContain("the-server", refused.Output, StringComparison.Ordinal);
        await Wait.UntilAsync(
            async () => (await mesh.LogAsync("ztunnel-node-2")).Split('\n').Any(l => l.Contains("sa/stranger", StringComparison.Ordinal) && l.Contains("only-the-client", StringComparison.Ordinal)),
            () => "a line with the stranger and the policy's name");
        (await mesh.MeshctlAsync("delete", "AuthorizationPolicy/only-the-client")).Expect(0);
        await Wait.UntilAsync(async () => (await TrafficMesh.PlayAsync(mesh, "stranger", "name")).Output == "the-server\n", () => "the stranger's answer without the policy");
    }

    public static async Task NewPolicyCutsOpenConnectionsAsync(TestMesh mesh)
    {
        using var open = mesh.StartExec("client", "python3", Repository.Script("peer.py"), "stay", await mesh.AddressOfAsync("server"), TrafficMesh.Port);
        await open.SaysAsync("here");
        await mesh.ApplyAsync("nobody.yaml", Nobody);
        var end = (await open.EndAsync()).Output;
        Assert.Matches("^here\n(ended|reset)\n$", end);
        (await mesh.MeshctlAsync("delete", "AuthorizationPolicy/maintenance")).Expect(0);
        await Wait.UntilAsync(async () => (await TrafficMesh.PlayAsync(mesh, "client", "name")).Output == "the-server\n", () => "an answer without the policy");
    }
}

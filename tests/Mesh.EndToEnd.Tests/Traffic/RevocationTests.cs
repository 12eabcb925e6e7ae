using System.Text;
using System.Text.Json;

using Mesh.EndToEnd.Tests.Harness;

namespace Mesh.EndToEnd.Tests.Traffic;

/// <summary>A certificate that was taken back while the mesh runs: the list that the control plane writes reaches every agent, without a restart of anything.</summary>
public sealed class RevocationTests
{
    [MeshFact("python3", "nsenter", "curl")]
    public async Task Workload_WhoseCertificateIsTakenBack_IsCutAndRefused_AndNobodyElse()
    {
        await using var mesh = await TrafficMesh.StartAsync(MeshUser.Self);
        Assert.Equal("the-server\n", (await TrafficMesh.PlayAsync(mesh, "client", "name")).Output);
        using var open = mesh.StartExec("client", "python3", Repository.Script("peer.py"), "stay", await mesh.AddressOfAsync("server"), TrafficMesh.Port);
        await open.SaysAsync("here");

        var certificate = Path.Combine(mesh.Folder, "client.pem");
        await File.WriteAllTextAsync(certificate, await CertificateOfAsync(mesh, "ztunnel-node-1", "sa/client"));
        (await InsideAsync(mesh, "istiod-lite", Repository.Program("istiod-lite"), "revoke", "--state-dir", "/run/mesh/istiod", certificate)).Expect(0);

        Assert.Matches("^here\n(ended|reset)\n$", (await open.EndAsync()).Output);
        Assert.DoesNotContain("the-server", (await TrafficMesh.PlayAsync(mesh, "client", "name")).Output, StringComparison.Ordinal);
        var log = string.Empty;
        await Wait.UntilAsync(
            async () => (log = await mesh.LogAsync("ztunnel-node-2")).Split('\n').Any(l => l.Contains("certificate_revoked", StringComparison.Ordinal) && l.Contains("direction=\"inbound\"", StringComparison.Ordinal)),
            () => $"the server's agent says that the certificate was taken back:\n{log}");
        Assert.Equal("the-server\n", (await TrafficMesh.PlayAsync(mesh, "stranger", "name")).Output);
    }

    private static async Task<string> CertificateOfAsync(TestMesh mesh, string agent, string identity)
    {
        using var dump = JsonDocument.Parse((await InsideAsync(mesh, agent, "curl", "-sS", "http://127.0.0.1:15000/config_dump")).Expect(0).Output);
        var entry = dump.RootElement.GetProperty("certificates").EnumerateArray().Single(c => c.GetProperty("identity").GetString()!.EndsWith(identity, StringComparison.Ordinal));
        var pem = entry.GetProperty("certChain")[0].GetProperty("pem").GetString()!;
        return pem.StartsWith("-----", StringComparison.Ordinal) ? pem : Encoding.ASCII.GetString(Convert.FromBase64String(pem));
    }

    /// <summary>A program among the mesh's own, as who started the mesh runs it: without root that begins with the mesh's user namespace.</summary>
    private static async Task<CommandResult> InsideAsync(TestMesh mesh, string component, params string[] program)
    {
        string[] user = Environment.IsPrivilegedProcess ? [] : ["--user", "--preserve-credentials"];
        return await Command.RunAsync(["nsenter", "--target", await mesh.ProcessOfAsync(component), .. user, "--mount", "--net", "--pid", .. program]);
    }
}

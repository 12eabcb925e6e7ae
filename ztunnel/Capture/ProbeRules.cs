using System.Net;
using System.Net.Sockets;
using System.Text;
using Mesh.Net;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.Capture;

/// <summary>
/// The node's side of capturing: what the kubelet sends to a captured pod gets a source address that the pod's rules let pass, so that health
/// probes reach the program itself, in plaintext, also where mTLS is demanded.
/// </summary>
/// <remarks>
/// nftables knows the sender's user only, iptables whether the sender is a local program: both also let other programs on the node's own network
/// pass, as istio-cni's rules do. Written as a whole each time, in one transaction; without a captured pod nothing of ours is on the node.
/// </remarks>
internal sealed class ProbeRules(CaptureRules wanted, NetworkNamespace node, bool ipv6)
{
    /// <summary>Whoever the kubelet runs as.</summary>
    private const int KubeletUser = 0;

    private readonly CaptureRules _rules = wanted == CaptureRules.Auto ? CaptureInstaller.Detect() : wanted;
    private string? _written;

    public async Task SetAsync(IReadOnlyList<IPAddress> pods)
    {
        var addresses = pods.Select(a => a.ToString()).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(IPAddress.Parse).ToList();
        var v4 = addresses.Where(a => a.AddressFamily == AddressFamily.InterNetwork).ToList();
        var v6 = addresses.Where(a => a.AddressFamily == AddressFamily.InterNetworkV6).ToList();
        var script = _rules == CaptureRules.Nftables ? Nftables(v4, v6) : Iptables(v4, CaptureScript.ProbeSource) + (ipv6 ? Iptables(v6, CaptureScript.ProbeSourceV6) : string.Empty);
        if (script == _written)
            return;
        if (_rules == CaptureRules.Nftables)
        {
            await NamespaceCommand.RunAsync(node, "nft", ["-f", "-"], script);
        }
        else
        {
            await WriteIptablesAsync("iptables", v4, CaptureScript.ProbeSource);
            if (ipv6)
                await WriteIptablesAsync("ip6tables", v6, CaptureScript.ProbeSourceV6);
        }
        _written = script;
    }

    private static async Task RemoveIptablesAsync(NetworkNamespace node, string tool)
    {
        foreach (var arguments in (string[][])[["-D", "POSTROUTING", "-j", "MESH_PROBES"], ["-F", "MESH_PROBES"], ["-X", "MESH_PROBES"]])
            await NamespaceCommand.RunAsync(node, tool, ["-w", "10", "-t", "nat", .. arguments], null, mayFail: true);
    }

    private async Task WriteIptablesAsync(string tool, List<IPAddress> addresses, string source)
    {
        if (addresses.Count == 0)
        {
            await RemoveIptablesAsync(node, tool);
            return;
        }
        var script = Iptables(addresses, source);
        await NamespaceCommand.RunAsync(node, tool + "-restore", ["-w", "10", "--noflush"], script);
        // First: masquerading by others must not come before.
        if ((await NamespaceCommand.TryAsync(node, tool, ["-w", "10", "-t", "nat", "-C", "POSTROUTING", "-j", "MESH_PROBES"])).ExitCode != 0)
            await NamespaceCommand.RunAsync(node, tool, ["-w", "10", "-t", "nat", "-I", "POSTROUTING", "1", "-j", "MESH_PROBES"], null);
    }

    private static string Nftables(List<IPAddress> v4, List<IPAddress> v6)
    {
        var script = new StringBuilder();
        script.Append("add table inet mesh-probes\ndelete table inet mesh-probes\n");
        if (v4.Count + v6.Count == 0)
            return script.ToString();
        script.Append("table inet mesh-probes {\n");
        Set(script, "pods4", "ipv4_addr", v4);
        Set(script, "pods6", "ipv6_addr", v6);
        // Just before the source NAT of others (priority 100).
        script.Append("    chain postrouting {\n        type nat hook postrouting priority 99; policy accept;\n");
        script.Append($"        meta skuid {KubeletUser} meta l4proto tcp ip daddr @pods4 snat ip to {CaptureScript.ProbeSource}\n");
        script.Append($"        meta skuid {KubeletUser} meta l4proto tcp ip6 daddr @pods6 snat ip6 to {CaptureScript.ProbeSourceV6}\n");
        return script.Append("    }\n}\n").ToString();
    }

    private static void Set(StringBuilder script, string name, string type, List<IPAddress> addresses)
    {
        script.Append($"    set {name} {{ type {type}; ");
        if (addresses.Count > 0)
            script.Append($"elements = {{ {string.Join(", ", addresses)} }} ");
        script.Append("}\n");
    }

    private static string Iptables(List<IPAddress> addresses, string source)
    {
        var script = new StringBuilder("*nat\n:MESH_PROBES - [0:0]\n");
        foreach (var address in addresses)
            script.Append($"-A MESH_PROBES -m owner --socket-exists -p tcp -d {address} -j SNAT --to-source {source}\n");
        return script.Append("COMMIT\n").ToString();
    }
}

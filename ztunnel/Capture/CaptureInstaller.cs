using Mesh.Net;
using Mesh.Net.Netlink;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.Capture;

/// <summary>
/// Writes the rules that lead a pod's traffic to us into the pod's namespace, and takes them out again. Every call brings the namespace
/// into the wanted state whatever it was before, so repairing and installing are the same thing.
/// </summary>
/// <param name="inbound">False: plaintext to the pod is left alone ("ingress mode").</param>
internal sealed class CaptureInstaller(CaptureRules wanted, bool dns, bool ipv6, bool inbound = true)
{
    /// <summary>Own connections that keep the client's address are answered to an address that is not ours: the mark brings the answers back to loopback.</summary>
    private static readonly PolicyRouting Routing = new(mark: 0x111, mask: 0xfff, priority: 32764, table: 100);

    private readonly CaptureRules _rules = wanted == CaptureRules.Auto ? Detect() : wanted;

    /// <summary>nftables where it is there: one transaction, no half state.</summary>
    public static CaptureRules Detect() => NamespaceCommand.Exists("nft") ? CaptureRules.Nftables : CaptureRules.Iptables;

    /// <summary>For a pod that wants something else than its node.</summary>
    public CaptureInstaller For(PodCapture pod) => pod == PodCapture.AsTheNode ? this : new CaptureInstaller(wanted, pod.Dns ?? dns, ipv6, !pod.BypassInbound);

    public async Task InstallAsync(NetworkNamespace pod)
    {
        if (_rules == CaptureRules.Off)
            return;
        Route(() => Routing.Add(pod, ipv6));
        await (_rules == CaptureRules.Nftables
            ? NamespaceCommand.RunAsync(pod, "nft", ["-f", "-"], CaptureScript.Nftables(dns, ipv6, inbound))
            : InstallIptablesAsync(pod));
    }

    private async Task InstallIptablesAsync(NetworkNamespace pod)
    {
        await InstallIptablesAsync(pod, "iptables", isIpv6: false);
        if (ipv6)
            await InstallIptablesAsync(pod, "ip6tables", isIpv6: true);
    }

    public async Task RemoveAsync(NetworkNamespace pod)
    {
        if (_rules == CaptureRules.Off)
            return;
        if (_rules == CaptureRules.Nftables)
            await NamespaceCommand.RunAsync(pod, "nft", ["-f", "-"], CaptureScript.NftablesRemoval());
        else
            await RemoveIptablesAsync(pod, ["mangle", "nat", "raw"]);
        await RemoveOtherKindAsync(pod);
        Route(() => Routing.Remove(pod));
    }

    /// <summary>
    /// Rules of ours, or of istio-cni, that were written with the other program: by an agent with another setting, or before the node had nftables. Both
    /// at once would capture, but whoever takes out one kind would leave the other, and the pod without a network.
    /// </summary>
    /// <returns>Whether there were any.</returns>
    public async Task<bool> RemoveOtherKindAsync(NetworkNamespace pod)
    {
        if (_rules == CaptureRules.Nftables)
        {
            if (!NamespaceCommand.Exists("iptables-save") || (await ReadIptablesAsync(pod)).Length == 0)
                return false;
            await RemoveIptablesAsync(pod, ["mangle", "nat", "raw"]);
            return true;
        }
        if (!NamespaceCommand.Exists("nft") || CaptureScript.OwnTables((await NamespaceCommand.TryAsync(pod, "nft", ["-s", "list", "ruleset", "inet"])).Output).Length == 0)
            return false;
        await NamespaceCommand.RunAsync(pod, "nft", ["-f", "-"], CaptureScript.NftablesRemoval());
        return true;
    }

    private async Task RemoveIptablesAsync(NetworkNamespace pod, string[] tables)
    {
        foreach (var tool in ipv6 ? (string[])["iptables", "ip6tables"] : ["iptables"])
        {
            foreach (var (table, from, to) in CaptureScript.IptablesJumps(dns: true).Where(j => tables.Contains(j.Table, StringComparer.Ordinal)))
            {
                await NamespaceCommand.RunAsync(pod, tool, ["-w", "10", "-t", table, "-D", from, "-j", to], null, mayFail: true);
                await NamespaceCommand.RunAsync(pod, tool, ["-w", "10", "-t", table, "-F", to], null, mayFail: true);
                await NamespaceCommand.RunAsync(pod, tool, ["-w", "10", "-t", table, "-X", to], null, mayFail: true);
            }
        }
    }

    /// <summary>What stands in the namespace of ours, as text that is equal when the rules are: no counters, nothing of others.</summary>
    public async Task<string> ReadAsync(NetworkNamespace pod)
    {
        if (_rules == CaptureRules.Off)
            return string.Empty;
        var rules = _rules == CaptureRules.Nftables
            ? CaptureScript.OwnTables((await NamespaceCommand.TryAsync(pod, "nft", ["-s", "list", "ruleset", "inet"])).Output)
            : await ReadIptablesAsync(pod);
        var routing = string.Empty;
        Route(() => routing = Routing.Read(pod, ipv6));
        return string.Join('\n', rules, routing);
    }

    private async Task<string> ReadIptablesAsync(NetworkNamespace pod)
    {
        var ours = new List<string>();
        foreach (var tool in ipv6 ? (string[])["iptables-save", "ip6tables-save"] : ["iptables-save"])
        {
            var (_, output, _) = await NamespaceCommand.TryAsync(pod, tool, []);
            ours.AddRange(output.Split('\n').Where(l => l.StartsWith("-A", StringComparison.Ordinal) && l.Contains("ISTIO_", StringComparison.Ordinal)));
        }
        return string.Join('\n', ours);
    }

    private async Task InstallIptablesAsync(NetworkNamespace pod, string tool, bool isIpv6)
    {
        await NamespaceCommand.RunAsync(pod, tool + "-restore", ["-w", "10", "--noflush"], CaptureScript.Iptables(dns, isIpv6, inbound));
        foreach (var (table, from, to) in CaptureScript.IptablesJumps(dns))
        {
            if ((await NamespaceCommand.TryAsync(pod, tool, ["-w", "10", "-t", table, "-C", from, "-j", to])).ExitCode != 0)
                await NamespaceCommand.RunAsync(pod, tool, ["-w", "10", "-t", table, "-A", from, "-j", to], null);
        }
    }

    private static void Route(Action change)
    {
        try
        {
            change();
        }
        catch (Exception failure) when (failure is NetlinkFailureException or SocketFailureException)
        {
            throw new CaptureException(failure.Message);
        }
    }
}

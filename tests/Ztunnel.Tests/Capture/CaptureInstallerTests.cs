using System.Diagnostics;
using System.Security.Cryptography.X509Certificates;
using Mesh.Net;
using Mesh.Runtime.Decisions;
using Mesh.Testing;
using Mesh.Ztunnel.Capture;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Pods;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.Tests.Capture;

/// <summary>The rules in a real network namespace: written, written again, taken out.</summary>
public sealed class CaptureInstallerTests
{
    private static async Task<string> RunAsync(NetworkNamespace ns, string tool, params string[] arguments)
    {
        using var process = ns.StartProcess(new ProcessStartInfo(tool, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true });
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return output;
    }

    private static async Task<NetworkNamespace> PodAsync()
    {
        var pod = NetworkNamespace.CreateUnnamed();
        await RunAsync(pod, "ip", "link", "set", "lo", "up");
        return pod;
    }

    private static async Task<string> StateAsync(NetworkNamespace pod, CaptureRules kind) => string.Join('\n',
        kind == CaptureRules.Nftables ? await RunAsync(pod, "nft", "list", "ruleset") : await RunAsync(pod, "iptables-save") + await RunAsync(pod, "ip6tables-save"),
        await RunAsync(pod, "ip", "rule", "show", "pref", "32764"),
        await RunAsync(pod, "ip", "route", "show", "table", "100"),
        await RunAsync(pod, "ip", "-6", "rule", "show", "pref", "32764"),
        await RunAsync(pod, "ip", "-6", "route", "show", "table", "100"));

    /// <summary>Counters and time stamps differ between two looks at the same rules.</summary>
    private static string Stable(string state) => string.Join('\n', state.Split('\n').Where(l => !l.StartsWith('#') && !l.StartsWith(':')));

    [RootFact]
    public async Task Nftables_WrittenTwice_IsTheSameAsOnce_AndGoesAwayWhole()
    {
        using var pod = await PodAsync();
        var installer = new CaptureInstaller(CaptureRules.Nftables, dns: true, ipv6: true);
        await installer.InstallAsync(pod);
        var once = Stable(await StateAsync(pod, CaptureRules.Nftables));
        foreach (var expected in (string[])["redirect to :15001", "redirect to :15006", "redirect to :15053", "0x00000539", "fwmark 0x111/0xfff", "local default dev lo"])
            Assert.Contains(expected, once, StringComparison.Ordinal);
        await installer.InstallAsync(pod);
        Assert.Equal(once, Stable(await StateAsync(pod, CaptureRules.Nftables)));
        await installer.RemoveAsync(pod);
        Assert.Equal(string.Empty, Stable(await StateAsync(pod, CaptureRules.Nftables)).Trim());
    }

    [RootFact]
    public async Task Iptables_WrittenTwice_IsTheSameAsOnce_AndLeavesNoRule()
    {
        using var pod = await PodAsync();
        var installer = new CaptureInstaller(CaptureRules.Iptables, dns: true, ipv6: true);
        await installer.InstallAsync(pod);
        var once = Stable(await StateAsync(pod, CaptureRules.Iptables));
        foreach (var expected in (string[])["--to-ports 15001", "--to-ports 15006", "--to-ports 15053", "-A PREROUTING -j ISTIO_PRERT", "-s 169.254.7.127/32"])
            Assert.Contains(expected, once, StringComparison.Ordinal);
        await installer.InstallAsync(pod);
        Assert.Equal(once, Stable(await StateAsync(pod, CaptureRules.Iptables)));
        await installer.RemoveAsync(pod);
        Assert.DoesNotContain("ISTIO", await StateAsync(pod, CaptureRules.Iptables), StringComparison.Ordinal);
    }

    [RootFact("nft", "iptables", "ip6tables")]
    public async Task PodThatWantsAnotherCapture_HasOnlyTheRulesOfThat()
    {
        foreach (var kind in (CaptureRules[])[CaptureRules.Nftables, CaptureRules.Iptables])
        {
            using var pod = await PodAsync();
            var node = new CaptureInstaller(kind, dns: true, ipv6: true);
            // As a node's other setting, or another annotation of an earlier life, left it.
            await node.InstallAsync(pod);
            await node.For(new PodCapture(Dns: false, BypassInbound: true)).InstallAsync(pod);
            var state = Stable(await StateAsync(pod, kind));
            Assert.Contains("15001", state, StringComparison.Ordinal);
            foreach (var gone in (string[])["15006", "15053"])
                Assert.DoesNotContain(gone, state, StringComparison.Ordinal);
        }
    }

    /// <summary>Two programs can write rules. One agent at a time uses one of them; what the other one left goes, at the first look and with the pod's last.</summary>
    [RootTheory("nft", "iptables", "ip6tables")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task RulesOfTheOtherKind_AreTakenOut_AndThatIsARepair(bool nftables)
    {
        var (ours, other) = nftables ? (CaptureRules.Nftables, CaptureRules.Iptables) : (CaptureRules.Iptables, CaptureRules.Nftables);
        using var pod = await PodAsync();
        await new CaptureInstaller(other, dns: true, ipv6: true).InstallAsync(pod);
        var captured = await CapturedPod.CaptureAsync(new NoProxy(), pod, new CaptureInstaller(ours, dns: true, ipv6: true));
        Assert.True(await captured.RepairAsync());
        Assert.DoesNotContain(Sign(other), await StateAsync(pod, other), StringComparison.Ordinal);
        Assert.Contains(Sign(ours), await StateAsync(pod, ours), StringComparison.Ordinal);
        Assert.False(await captured.RepairAsync());

        await new CaptureInstaller(other, dns: true, ipv6: true).InstallAsync(pod);
        await captured.StopAsync();
        foreach (var kind in (CaptureRules[])[ours, other])
            Assert.DoesNotContain(Sign(kind), await StateAsync(pod, kind), StringComparison.Ordinal);

        // Where iptables is made of nftables, the one lists the other's rules, too.
        static string Sign(CaptureRules kind) => kind == CaptureRules.Nftables ? "table inet istio-ambient" : "-A ISTIO_OUTPUT";
    }

    /// <summary>An agent was killed in between: the next one's first write makes the whole.</summary>
    [RootTheory("nft", "iptables", "ip6tables")]
    [InlineData(true, "nft", "delete", "table", "inet", "istio-ambient-nat")]
    [InlineData(false, "iptables", "-t", "nat", "-D", "OUTPUT", "-j", "ISTIO_OUTPUT")]
    [InlineData(false, "iptables", "-t", "mangle", "-F", "ISTIO_PRERT")]
    [InlineData(true, "ip", "route", "flush", "table", "100")]
    public async Task RulesThatAreHalfWritten_AreWholeAfterTheNextStart(bool nftables, params string[] missing)
    {
        var kind = nftables ? CaptureRules.Nftables : CaptureRules.Iptables;
        using var pod = await PodAsync();
        await new CaptureInstaller(kind, dns: true, ipv6: true).InstallAsync(pod);
        var whole = Stable(await StateAsync(pod, kind));
        await RunAsync(pod, missing[0], missing[1..]);
        Assert.NotEqual(whole, Stable(await StateAsync(pod, kind)));
        await new CaptureInstaller(kind, dns: true, ipv6: true).InstallAsync(pod);
        Assert.Equal(Sorted(whole), Sorted(Stable(await StateAsync(pod, kind))));
    }

    /// <summary>The same, and people are told: until now the pod may have talked past the mesh. What a predecessor left whole is no repair.</summary>
    [RootTheory("nft", "iptables", "ip6tables")]
    [InlineData(true, "nft", "delete", "table", "inet", "istio-ambient-nat")]
    [InlineData(false, "iptables", "-t", "nat", "-D", "OUTPUT", "-j", "ISTIO_OUTPUT")]
    [InlineData(true, "true")]
    [InlineData(false, "true")]
    public async Task RulesOfAnEarlierAgent_ThatAreHalfWritten_AreARepair(bool nftables, params string[] damage)
    {
        var installer = new CaptureInstaller(nftables ? CaptureRules.Nftables : CaptureRules.Iptables, dns: true, ipv6: true);
        using var pod = await PodAsync();
        await installer.InstallAsync(pod);
        await RunAsync(pod, damage[0], damage[1..]);
        var captured = await CapturedPod.CaptureAsync(new NoProxy(), pod, installer, mayHoldRules: true);
        Assert.Equal(damage[0] != "true", await captured.RepairAsync());
        Assert.False(await captured.RepairAsync());
        var fresh = await CapturedPod.CaptureAsync(new NoProxy(), await PodAsync(), installer, mayHoldRules: true);
        Assert.False(await fresh.RepairAsync());
    }

    /// <summary>Tables are listed in the order of their making.</summary>
    private static IEnumerable<string> Sorted(string state) => state.Split('\n').Order(StringComparer.Ordinal);

    [RootFact]
    public async Task RulesThatSomebodyDamaged_AreRepaired()
    {
        using var pod = await PodAsync();
        var installer = new CaptureInstaller(CaptureRules.Nftables, dns: false, ipv6: false);
        await installer.InstallAsync(pod);
        var good = Stable(await StateAsync(pod, CaptureRules.Nftables));
        await RunAsync(pod, "nft", "flush", "chain", "inet", "istio-ambient-nat", "istio-output");
        await RunAsync(pod, "ip", "rule", "del", "pref", "32764");
        Assert.NotEqual(good, Stable(await StateAsync(pod, CaptureRules.Nftables)));
        await installer.InstallAsync(pod);
        Assert.Equal(good, Stable(await StateAsync(pod, CaptureRules.Nftables)));
    }

    [RootFact("nft")]
    public Task CapturedPod_PutsRightWhatSomebodyChanged_WithNftables() => RepairAsync(CaptureRules.Nftables, ["nft", "flush", "chain", "inet", "istio-ambient-nat", "istio-output"]);

    [RootFact("iptables", "ip6tables")]
    public Task CapturedPod_PutsRightWhatSomebodyChanged_WithIptables() => RepairAsync(CaptureRules.Iptables, ["iptables", "-t", "nat", "-F", "ISTIO_OUTPUT"]);

    [RootFact("nft")]
    public Task CapturedPod_PutsRightRouting() => RepairAsync(CaptureRules.Nftables, ["ip", "rule", "del", "pref", "32764"]);

    [RootTheory("nft")]
    [InlineData("route", "flush", "table", "100")]
    [InlineData("-6", "rule", "del", "pref", "32764")]
    [InlineData("-6", "route", "flush", "table", "100")]
    public Task CapturedPod_PutsRightEachPartOfTheRouting(params string[] damage) => RepairAsync(CaptureRules.Nftables, ["ip", .. damage]);

    /// <summary>Written with <c>ip</c>, by whomever: the pod is as it should be, and nothing was repaired.</summary>
    [RootFact("nft")]
    public async Task RoutingThatIpWrote_IsNoRepair_AndIsNotDoubled()
    {
        var installer = new CaptureInstaller(CaptureRules.Nftables, dns: true, ipv6: true);
        using var pod = await PodAsync();
        await installer.InstallAsync(pod);
        var good = Stable(await StateAsync(pod, CaptureRules.Nftables));
        foreach (var (family, any) in ((string, string)[])[("-4", "0.0.0.0/0"), ("-6", "::/0")])
        {
            await RunAsync(pod, "ip", family, "rule", "del", "pref", "32764");
            await RunAsync(pod, "ip", family, "route", "flush", "table", "100");
            await RunAsync(pod, "ip", family, "rule", "add", "from", any, "fwmark", "0x111/0xfff", "pref", "32764", "lookup", "100");
            await RunAsync(pod, "ip", family, "route", "replace", "local", any, "dev", "lo", "table", "100");
        }
        var captured = await CapturedPod.CaptureAsync(new NoProxy(), pod, installer, mayHoldRules: true);
        Assert.False(await captured.RepairAsync());
        Assert.False(await captured.RepairAsync());
        Assert.Equal(good, Stable(await StateAsync(pod, CaptureRules.Nftables)));
    }

    /// <summary>An agent that wrote the routing with <c>ip</c> asked for the rule of IPv6 in a way that it took for IPv4's: there was none. That is a repair.</summary>
    [RootFact("nft")]
    public async Task RoutingOfAnEarlierAgent_ThatHadNoRuleForIpv6_IsMadeWhole()
    {
        var installer = new CaptureInstaller(CaptureRules.Nftables, dns: true, ipv6: true);
        using var pod = await PodAsync();
        await installer.InstallAsync(pod);
        var good = Stable(await StateAsync(pod, CaptureRules.Nftables));
        await RunAsync(pod, "ip", "-6", "rule", "del", "pref", "32764");
        var captured = await CapturedPod.CaptureAsync(new NoProxy(), pod, installer, mayHoldRules: true);
        Assert.Equal(good, Stable(await StateAsync(pod, CaptureRules.Nftables)));
        Assert.True(await captured.RepairAsync());
        Assert.False(await captured.RepairAsync());
    }

    [RootFact("nft")]
    public async Task PodWithoutIpv6OnItsLoopbackInterface_IsCaptured()
    {
        using var pod = await PodAsync();
        pod.Run(() => File.WriteAllText("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "1"));
        var captured = await CapturedPod.CaptureAsync(new NoProxy(), pod, new CaptureInstaller(CaptureRules.Nftables, dns: true, ipv6: true));
        Assert.Contains("fwmark 0x111/0xfff", await StateAsync(pod, CaptureRules.Nftables), StringComparison.Ordinal);
        Assert.False(await captured.RepairAsync());
        Assert.False(await captured.RepairAsync());
    }

    [RootFact]
    public async Task RoutingThatCannotBeWritten_IsToldWithWhatHelps()
    {
        using var pod = NetworkNamespace.CreateUnnamed();
        var failure = await Assert.ThrowsAsync<CaptureException>(() => new CaptureInstaller(CaptureRules.Nftables, dns: true, ipv6: true).InstallAsync(pod));
        Assert.Contains("ip link set lo up", failure.Message, StringComparison.Ordinal);
    }

    private static async Task RepairAsync(CaptureRules kind, string[] damage)
    {
        using var pod = await PodAsync();
        var proxy = new NoProxy();
        var captured = await CapturedPod.CaptureAsync(proxy, pod, new CaptureInstaller(kind, dns: true, ipv6: true));
        var good = Stable(await StateAsync(pod, kind));
        // The first look writes everything again and notes it.
        Assert.False(await captured.RepairAsync());
        Assert.Equal(good, Stable(await StateAsync(pod, kind)));

        await RunAsync(pod, damage[0], damage[1..]);
        // What the pod's own programs add is none of our business.
        if (kind == CaptureRules.Nftables)
            await RunAsync(pod, "nft", "add", "table", "inet", "of-the-pod");
        Assert.True(await captured.RepairAsync());
        await RunAsync(pod, "nft", "delete", "table", "inet", "of-the-pod");
        Assert.Equal(good, Stable(await StateAsync(pod, kind)));
        Assert.False(await captured.RepairAsync());

        await captured.DrainAsync(CancellationToken.None);
        Assert.Equal(good, Stable(await StateAsync(pod, kind)));
        await captured.StopAsync();
        Assert.DoesNotContain("15001", await StateAsync(pod, kind), StringComparison.Ordinal);
        Assert.True(proxy.IsStopped);
    }

    private sealed class NoProxy : IPodProxy
    {
        public bool IsStopped { get; private set; }

        public Task StopAsync()
        {
            IsStopped = true;
            return Task.CompletedTask;
        }

        public Task DrainAsync(CancellationToken forced) => Task.CompletedTask;

        public Task RevokeAsync(Func<IReadOnlyList<X509Certificate2>, bool> isRevoked) => Task.CompletedTask;

        public Task<PodConnections> ListConnectionsAsync() => Task.FromResult(new PodConnections([], []));

        public Task<IReadOnlyList<IDecision>> FindOpenAsync(DecisionQuery query) => Task.FromResult<IReadOnlyList<IDecision>>([]);
    }

    [RootFact]
    public async Task Off_TouchesNothing()
    {
        using var pod = await PodAsync();
        await new CaptureInstaller(CaptureRules.Off, dns: true, ipv6: true).InstallAsync(pod);
        Assert.Equal(string.Empty, Stable(await StateAsync(pod, CaptureRules.Nftables)).Trim());
    }
}

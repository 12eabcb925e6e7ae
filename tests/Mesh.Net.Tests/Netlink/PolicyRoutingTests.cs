using System.Diagnostics;
using Mesh.Net.Native;
using Mesh.Net.Netlink;
using Mesh.Testing;

namespace Mesh.Net.Tests.Netlink;

/// <summary>Real namespaces; the judge is iproute2.</summary>
public sealed class PolicyRoutingTests
{
    private static readonly PolicyRouting Routing = new(mark: 0x111, mask: 0xfff, priority: 32764, table: 100);

    [RootFact("ip")]
    public void Added_IsWhatIpWrites_AndRemoved_IsNothing()
    {
        using var ours = Pod();
        using var theirs = Pod();
        var before = Listing(ours);
        Assert.Empty(Routing.Read(ours, ipv6: true));
        Routing.Add(ours, ipv6: true);
        WriteWithIp(theirs);
        Assert.Contains("32764:\tfrom all fwmark 0x111/0xfff lookup 100", Listing(ours), StringComparison.Ordinal);
        Assert.Contains("local default dev lo table 100 proto boot scope host", Listing(ours), StringComparison.Ordinal);
        Assert.Equal(Listing(theirs), Listing(ours));
        Assert.Equal(Routing.Read(theirs, ipv6: true), Routing.Read(ours, ipv6: true));
        Assert.Equal(4, Routing.Read(ours, ipv6: true).Split('\n').Length);

        Routing.Add(ours, ipv6: true);
        Assert.Equal(Listing(theirs), Listing(ours));
        foreach (var pod in (NetworkNamespace[])[ours, theirs])
        {
            Routing.Remove(pod);
            Assert.Equal(before, Listing(pod));
            Routing.Remove(pod);
            Assert.Equal(before, Listing(pod));
        }
    }

    /// <summary>To the kernel a rule or a route that another program signed is another one; here it is the same, and there are no two of it.</summary>
    [RootFact("ip")]
    public void RulesAndRoutes_ThatOthersSigned_AreRecognised_NotDoubled_AndRemoved()
    {
        using var pod = Pod();
        var before = Listing(pod);
        Routing.Add(pod, ipv6: true);
        var own = Routing.Read(pod, ipv6: true);
        Routing.Remove(pod);
        foreach (var family in (string[])["-4", "-6"])
        {
            Ip(pod, family, "rule", "add", "fwmark", "0x111/0xfff", "pref", "32764", "lookup", "100", "protocol", "static");
            Ip(pod, family, "route", "add", "local", "default", "dev", "lo", "table", "100", "protocol", "static");
        }
        Assert.Equal(own, Routing.Read(pod, ipv6: true));
        Routing.Add(pod, ipv6: true);
        Assert.Equal(own, Routing.Read(pod, ipv6: true));
        Assert.Single(Ip(pod, "rule", "show", "pref", "32764").Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Single(Ip(pod, "-6", "route", "show", "table", "100").Split('\n', StringSplitOptions.RemoveEmptyEntries));

        Ip(pod, "rule", "add", "fwmark", "0x111/0xfff", "pref", "32764", "lookup", "100", "protocol", "kernel");
        Assert.Equal(own, Routing.Read(pod, ipv6: true));
        Routing.Remove(pod);
        Assert.Equal(before, Listing(pod));
    }

    [RootTheory("ip")]
    [InlineData("rule del pref 32764")]
    [InlineData("-6 rule del pref 32764")]
    [InlineData("route flush table 100")]
    [InlineData("-6 route flush table 100")]
    [InlineData("route replace local default dev lo table 100 mtu 1400")]
    [InlineData("route add local 198.18.0.1 dev lo table 100")]
    [InlineData("rule add fwmark 0x111/0xfff pref 32764 iif lo lookup 100")]
    [InlineData("rule add fwmark 0x111/0xffff pref 32764 lookup 100")]
    [InlineData("rule add fwmark 0x111/0xfff pref 32764 lookup 101")]
    [InlineData("rule del pref 32764;rule add not fwmark 0x111/0xfff pref 32764 lookup 100")]
    [InlineData("rule add fwmark 0x111/0xfff pref 32764 blackhole")]
    public void WhatSomebodyChanged_IsSeen(string change)
    {
        using var pod = Pod();
        Routing.Add(pod, ipv6: true);
        var own = Routing.Read(pod, ipv6: true);
        foreach (var command in change.Split(';'))
            Ip(pod, command.Split(' '));
        Assert.NotEqual(own, Routing.Read(pod, ipv6: true));
    }

    [RootTheory("ip")]
    [InlineData("rule add fwmark 0x111/0xfff pref 100 lookup 100")]
    [InlineData("route add local 198.18.0.1 dev lo table 101")]
    [InlineData("route add local 198.18.0.1 dev lo table 1001")]
    public void WhatIsElsewhere_IsNoneOfOurBusiness(string change)
    {
        using var pod = Pod();
        Routing.Add(pod, ipv6: true);
        var own = Routing.Read(pod, ipv6: true);
        Ip(pod, change.Split(' '));
        Assert.Equal(own, Routing.Read(pod, ipv6: true));
    }

    [RootFact("ip")]
    public void WithoutIpv6_NothingOfItIsWrittenOrRead_AndRemovalTakesItAllTheSame()
    {
        using var pod = Pod();
        var before = Listing(pod);
        Routing.Add(pod, ipv6: false);
        var own = Routing.Read(pod, ipv6: false);
        Assert.Equal(own, Routing.Read(pod, ipv6: true));
        Assert.DoesNotContain("32764", Ip(pod, "-6", "rule"), StringComparison.Ordinal);
        Routing.Add(pod, ipv6: true);
        Assert.Equal(own, Routing.Read(pod, ipv6: false));
        Assert.NotEqual(own, Routing.Read(pod, ipv6: true));
        Routing.Remove(pod);
        Assert.Equal(before, Listing(pod));
    }

    [RootFact("ip")]
    public void Ipv6_ThatIsOffOnTheLoopbackInterface_IsLeftOut()
    {
        using var pod = Pod();
        pod.Run(() => File.WriteAllText("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "1"));
        Routing.Add(pod, ipv6: true);
        Assert.DoesNotContain("32764", Ip(pod, "-6", "rule"), StringComparison.Ordinal);
        Assert.Contains("32764", Ip(pod, "rule"), StringComparison.Ordinal);
        Assert.Equal(Routing.Read(pod, ipv6: false), Routing.Read(pod, ipv6: true));
        Routing.Remove(pod);
        Assert.Empty(Routing.Read(pod, ipv6: true));
    }

    [RootFact]
    public void LoopbackThatIsDown_IsNamedWithWhatHelps()
    {
        using var pod = NetworkNamespace.CreateUnnamed();
        var failure = Assert.Throws<NetlinkFailureException>(() => Routing.Add(pod, ipv6: true));
        Assert.Equal(Errno.ENETDOWN, failure.ErrorCode);
        foreach (var part in (string[])["write the route 'local default dev lo table 100' (IPv6)", pod.ToString(), "errno 100", "ip link set lo up"])
            Assert.Contains(part, failure.Message, StringComparison.Ordinal);
    }

    /// <summary>More than one datagram.</summary>
    [RootFact("ip")]
    public void ManyRoutes_AreAllRead()
    {
        using var pod = Pod();
        const int Count = 3000;
        var commands = string.Concat(Enumerable.Range(0, Count).Select(i => $"route add local 198.18.{i / 250}.{i % 250} dev lo table 100\n"));
        var start = new ProcessStartInfo(Prerequisites.FindTool("ip")!, ["-batch", "-"]) { UseShellExecute = false, RedirectStandardInput = true };
        using (var process = pod.StartProcess(start))
        {
            process.StandardInput.Write(commands);
            process.StandardInput.Close();
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
        }
        Assert.Equal(Count, Routing.Read(pod, ipv6: true).Split('\n').Length);
    }

    private static NetworkNamespace Pod()
    {
        var pod = NetworkNamespace.CreateUnnamed();
        Ip(pod, "link", "set", "lo", "up");
        return pod;
    }

    private static void WriteWithIp(NetworkNamespace pod)
    {
        foreach (var (family, any) in ((string, string)[])[("-4", "0.0.0.0/0"), ("-6", "::/0")])
        {
            Ip(pod, family, "rule", "add", "from", any, "fwmark", "0x111/0xfff", "pref", "32764", "lookup", "100");
            Ip(pod, family, "route", "replace", "local", any, "dev", "lo", "table", "100");
        }
    }

    private static string Listing(NetworkNamespace pod) => string.Concat(((string[])["-4", "-6"]).SelectMany(
        f => (string[])[Ip(pod, f, "-d", "rule"), Ip(pod, f, "-d", "route", "show", "table", "all")]));

    private static string Ip(NetworkNamespace pod, params string[] arguments) => NetworkLab.Run(pod, "ip", arguments);
}

using System.Net;
using Mesh.Testing;

namespace Mesh.Net.Tests;

public sealed class OriginalDestinationTests
{
    [RootFact("ip", "nft")]
    public async Task Destination_OfARedirectedConnection_IsWhereTheClientWantedToGo()
    {
        using var lab = new NetworkLab();
        NetworkLab.Run(lab.Left, "nft", "add table inet t; add chain inet t out { type nat hook output priority -100; }; add rule inet t out meta mark != 1337 tcp dport 80 redirect to :15001");
        await CheckAsync(lab, marked: false);
    }

    [RootFact("ip", "iptables", "ip6tables")]
    public async Task Destination_OfAConnectionRedirectedByIptables_IsWhereTheClientWantedToGo()
    {
        using var lab = new NetworkLab();
        foreach (var tool in (string[])["iptables", "ip6tables"])
            NetworkLab.Run(lab.Left, tool, "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "80", "-m", "mark", "!", "--mark", "1337", "-j", "REDIRECT", "--to-ports", "15001");
        await CheckAsync(lab, marked: false);
    }

    [RootFact("ip", "nft")]
    public async Task Mark_OfOurOwnSocket_PassesTheRedirection()
    {
        using var lab = new NetworkLab();
        NetworkLab.Run(lab.Left, "nft", "add table inet t; add chain inet t out { type nat hook output priority -100; }; add rule inet t out meta mark != 1337 tcp dport 80 redirect to :15001");
        await CheckAsync(lab, marked: true);
    }

    private static async Task CheckAsync(NetworkLab lab, bool marked)
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var captured = new TaskCompletionSource<LoopSocket>();
            var direct = new TaskCompletionSource<LoopSocket>();
            using var proxy = LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = new IPEndPoint(IPAddress.IPv6Any, 15001), NetworkNamespace = lab.Left, Mark = 1337 }, s => captured.SetResult(s));
            using var server = LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = new IPEndPoint(IPAddress.IPv6Any, 80), NetworkNamespace = lab.Right }, s => direct.SetResult(s));
            foreach (var address in (IPAddress[])[NetworkLab.RightAddress, NetworkLab.RightAddress6])
            {
                captured = new TaskCompletionSource<LoopSocket>();
                direct = new TaskCompletionSource<LoopSocket>();
                var wanted = new IPEndPoint(address, 80);
                var client = await LoopConnector.ConnectAsync(test.Loop, new ConnectOptions { Remote = wanted, NetworkNamespace = lab.Left, Mark = marked ? 1337u : 0 });
                Assert.True(client.Socket is not null, client.Detail);
                var accepted = await (marked ? direct : captured).Task;
                Assert.Equal(wanted, accepted.GetOriginalDestination());
                if (!marked)
                    Assert.Equal(15001, accepted.LocalEndPoint.Port);
                client.Socket!.Dispose();
                accepted.Dispose();
            }
        });
    }
}

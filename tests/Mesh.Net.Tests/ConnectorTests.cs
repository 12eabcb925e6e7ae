using System.Net;
using Mesh.Testing;

namespace Mesh.Net.Tests;

public sealed class ConnectorTests
{
    [Fact]
    public async Task Connect_ToAPortWhereNothingListens_IsRefused()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var listener = LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = Sockets.AnyLoopback }, s => s.Dispose());
            listener.Dispose();
            var result = await LoopConnector.ConnectAsync(test.Loop, new ConnectOptions { Remote = listener.LocalEndPoint });
            Assert.Equal(ConnectFailure.Refused, result.Failure);
            Assert.Null(result.Socket);
            Assert.Equal(Native.Errno.ECONNREFUSED, result.ErrorCode);
            Assert.Contains(listener.LocalEndPoint.ToString(), result.Detail, StringComparison.Ordinal);
        });
        await test.Do(() => Assert.Equal((0L, 0L), (test.Loop.Metrics.OpenSockets, test.Loop.Metrics.ActiveTimers)));
    }

    [RootFact("ip", "nft")]
    public async Task Connect_WhenNobodyAnswers_TimesOutAtTheDeadline()
    {
        using var lab = new NetworkLab();
        NetworkLab.Run(lab.Right, "nft", "add table inet t; add chain inet t in { type filter hook input priority 0; }; add rule inet t in tcp dport 9 drop");
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var options = new ConnectOptions { Remote = new IPEndPoint(NetworkLab.RightAddress, 9), Timeout = TimeSpan.FromMilliseconds(150), NetworkNamespace = lab.Left };
            var result = await LoopConnector.ConnectAsync(test.Loop, options);
            Assert.Equal((ConnectFailure.TimedOut, 0), (result.Failure, result.ErrorCode));
            Assert.Contains("0.15 s", result.Detail, StringComparison.Ordinal);
        });
        await test.Do(() => Assert.Equal((0L, 0L), (test.Loop.Metrics.OpenSockets, test.Loop.Metrics.ActiveTimers)));
    }

    [RootFact("ip")]
    public async Task Connect_WithoutARoute_IsUnreachable()
    {
        using var lab = new NetworkLab();
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            foreach (var address in (string[])["198.19.0.1", "fd00:99::1"])
            {
                var result = await LoopConnector.ConnectAsync(test.Loop, new ConnectOptions { Remote = new IPEndPoint(IPAddress.Parse(address), 80), NetworkNamespace = lab.Left });
                Assert.Equal(ConnectFailure.Unreachable, result.Failure);
            }

            // On the link, but nobody has the address: the kernel gives up asking for it.
            var silent = await LoopConnector.ConnectAsync(test.Loop, new ConnectOptions { Remote = new IPEndPoint(IPAddress.Parse("198.18.7.77"), 80), NetworkNamespace = lab.Left, Timeout = TestLoop.Patience });
            Assert.Equal(ConnectFailure.Unreachable, silent.Failure);
        });
    }

    [Fact]
    public async Task Connect_FromABoundAddress_IsSeenFromThere()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var accepted = new TaskCompletionSource<LoopSocket>();
            using var listener = LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = Sockets.AnyLoopback }, accepted.SetResult);
            var options = new ConnectOptions
            {
                Remote = listener.LocalEndPoint,
                BindAddress = IPAddress.Parse("127.0.0.77"),
                KeepAlive = new KeepAliveOptions(TimeSpan.FromSeconds(180), TimeSpan.FromSeconds(180), 9),
                UserTimeout = TimeSpan.FromSeconds(30),
            };
            var result = await LoopConnector.ConnectAsync(test.Loop, options);
            var server = await accepted.Task;
            Assert.Equal(IPAddress.Parse("127.0.0.77"), server.RemoteEndPoint.Address);
            Assert.Equal(server.RemoteEndPoint, result.Socket!.LocalEndPoint);
            result.Socket.Dispose();
            server.Dispose();

            var foreign = await LoopConnector.ConnectAsync(test.Loop, options with { BindAddress = IPAddress.Parse("198.18.99.99") });
            Assert.Equal(ConnectFailure.Other, foreign.Failure);
            Assert.Contains("198.18.99.99", foreign.Detail, StringComparison.Ordinal);
        });
    }

    [RootFact("ip")]
    public async Task Connect_WithATransparentSource_ComesFromAnAddressThatIsNotOurs()
    {
        using var lab = new NetworkLab();

        // The answer to the foreign address has to find its way back, and the left side has to take it as its own: what istio's in-pod rules do with marks.
        foreach (var (family, foreign) in ((string, string)[])[("-4", "198.18.50.5"), ("-6", "fd00:50::5")])
        {
            NetworkLab.Run(lab.Right, "ip", family, "route", "add", foreign, "dev", "cable");
            NetworkLab.Run(lab.Left, "ip", family, "route", "add", "local", foreign, "dev", "lo", "table", "100");
            NetworkLab.Run(lab.Left, "ip", family, "rule", "add", "iif", "cable", "lookup", "100");
        }

        NetworkLab.Run(lab.Left, "sh", "-c", "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done; echo 1 > /proc/sys/net/ipv4/conf/cable/proxy_arp; echo 1 > /proc/sys/net/ipv4/conf/all/forwarding; echo 1 > /proc/sys/net/ipv6/conf/cable/proxy_ndp; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; ip -6 neigh add proxy fd00:50::5 dev cable");
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var accepted = new TaskCompletionSource<LoopSocket>();
            using var listener = LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = new IPEndPoint(IPAddress.IPv6Any, 7001), NetworkNamespace = lab.Right }, s => accepted.SetResult(s));
            foreach (var (remote, foreign) in ((IPAddress, string)[])[(NetworkLab.RightAddress, "198.18.50.5"), (NetworkLab.RightAddress6, "fd00:50::5")])
            {
                accepted = new TaskCompletionSource<LoopSocket>();
                var result = await LoopConnector.ConnectAsync(test.Loop, new ConnectOptions { Remote = new IPEndPoint(remote, 7001), TransparentSource = IPAddress.Parse(foreign), NetworkNamespace = lab.Left });
                Assert.True(result.Socket is not null, result.Detail);
                Assert.Null(result.SourceFailure);
                var server = await accepted.Task;
                Assert.Equal(IPAddress.Parse(foreign), server.RemoteEndPoint.Address);
                result.Socket!.Dispose();
                server.Dispose();
            }
        });
    }

    [Fact]
    public async Task Connect_WithATransparentSourceOfAnotherFamily_FallsBackAndSaysSo()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            using var listener = LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = Sockets.AnyLoopback }, s => s.Dispose());
            var result = await LoopConnector.ConnectAsync(test.Loop, new ConnectOptions { Remote = listener.LocalEndPoint, TransparentSource = IPAddress.IPv6Loopback });
            Assert.Equal(ConnectFailure.None, result.Failure);
            Assert.Contains("address family", result.SourceFailure, StringComparison.Ordinal);
            result.Socket!.Dispose();
        });
    }
}

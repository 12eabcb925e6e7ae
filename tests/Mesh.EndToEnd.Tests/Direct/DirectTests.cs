using System.Net;
using System.Text;

using Mesh.EndToEnd.Tests.Harness;
using Mesh.Testing;

namespace Mesh.EndToEnd.Tests.Direct;

/// <summary>A dedicated ztunnel with static configuration, as a process: what goes in through SOCKS5 comes out where the registry says, is counted and is logged.</summary>
public sealed class DirectTests
{
    private static readonly string[] Stable = ["istio_build", "istio_tcp_connections_opened", "istio_tcp_connections_closed", "istio_tcp_received_bytes", "istio_tcp_sent_bytes"];

    [RootFact("ip")]
    public async Task Requests_ByAddressByVipAndByName_ReachTheApplication()
    {
        await using var rig = await DirectRig.StartAsync();
        foreach (var (target, port) in ((string, int)[])[(DirectRig.Tunnelled, DirectRig.Port), (DirectRig.Plain, DirectRig.Port), (DirectRig.Vip, 80), ("svc.default.svc.cluster.local", 80), ("svc", 80)])
        {
            using var program = await rig.OpenAsync(target, port);
            await DirectRig.EchoAsync(program, $"to {target}");
        }

        var outbound = await rig.LineAsync("outbound");
        Assert.Equal(("127.0.0.1:15008", "127.0.0.1:8080", "local"), (Text(outbound, "dst.addr"), Text(outbound, "dst.hbone_addr"), Text(outbound, "dst.workload")));
        var inbound = await rig.LineAsync("inbound");
        Assert.Equal(("spiffe://cluster.local/ns/default/sa/default", "svc.default.svc.cluster.local"), (Text(inbound, "src.identity"), Text(inbound, "dst.service")));
        Assert.True(await rig.MetricAsync("process_open_fds") > 0);
    }

    [RootFact("ip")]
    public async Task Connection_IsCountedWhenItOpensAndWhenItEnds_WithItsBytes()
    {
        await using var rig = await DirectRig.StartAsync();
        string[] source = ["reporter=\"source\"", "destination_workload=\"local\"", "response_flags=\"-\""];
        using (var program = await rig.OpenAsync(DirectRig.Tunnelled, DirectRig.Port))
        {
            await DirectRig.EchoAsync(program, "eleven byte");
            Assert.Equal((1, null), (await rig.MetricAsync("istio_tcp_connections_opened_total", source), await rig.MetricAsync("istio_tcp_connections_closed_total", source)));
            Assert.Equal(1, await rig.MetricAsync("istio_tcp_sockets_open", "reporter=\"source\""));
        }

        await Wait.UntilAsync(async () => await rig.MetricAsync("istio_tcp_connections_closed_total", source) == 1, () => "the end of the connection in the metrics");
        Assert.Equal(
            (1, 11, 11),
            (await rig.MetricAsync("istio_tcp_connections_opened_total", source), await rig.MetricAsync("istio_tcp_received_bytes_total", source), await rig.MetricAsync("istio_tcp_sent_bytes_total", source)));
        Assert.Equal(0, await rig.MetricAsync("istio_tcp_sockets_open", "reporter=\"source\""));
    }

    [RootFact("ip")]
    public async Task WorkloadWithoutAddress_IsResolvedForEachConnection()
    {
        await using var rig = await DirectRig.StartAsync();
        for (var i = 0; i < 2; i++)
        {
            using var program = await rig.OpenAsync(DirectRig.VipOfANamedWorkload, 80);
            await DirectRig.EchoAsync(program, "by name");
        }

        Assert.Equal(2, await rig.MetricAsync("istio_on_demand_dns_total", "hostname=\"localhost\"", "source_principal=\"spiffe://cluster.local/ns/default/sa/default\""));
    }

    [RootFact("ip")]
    public async Task MetricsOfTheProxy_AreReachedThroughATunnelToItself()
    {
        await using var rig = await DirectRig.StartAsync();
        using var program = await rig.OpenAsync(DirectRig.Tunnelled, 15020);
        await program.SendAsync(Encoding.ASCII.GetBytes("GET /metrics HTTP/1.1\r\nHost: self\r\nConnection: close\r\n\r\n"));
        var answer = new byte["HTTP/1.1 200".Length];
        await program.ReceiveAsync(answer);
        Assert.Equal("HTTP/1.1 200", Encoding.ASCII.GetString(answer));
        program.Dispose();
        Assert.Equal("127.0.0.1:15020", Text(await rig.LineAsync("inbound"), "dst.hbone_addr"));
    }

    [RootFact("ip")]
    public async Task OwnPorts_AreNotReachedThroughTheProxy()
    {
        await using var rig = await DirectRig.StartAsync();
        foreach (var port in (int[])[15001, 15006, 15008, 15080])
        {
            using var program = await rig.OpenAsync(DirectRig.Tunnelled, port);
            Assert.Equal(0, await program.ReceiveAsync(new byte[1]));
        }

        using var after = await rig.OpenAsync(DirectRig.Tunnelled, DirectRig.Port);
        await DirectRig.EchoAsync(after, "still there");
    }

    [RootFact("ip")]
    public async Task Question_ForAName_IsAnsweredAndCounted()
    {
        await using var rig = await DirectRig.StartAsync();
        var answer = await rig.ResolveAsync([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, .. "svc"u8, 7, .. "default"u8, 3, .. "svc"u8, 7, .. "cluster"u8, 5, .. "local"u8, 0, 0, 1, 0, 1]);
        Assert.Equal(IPAddress.Parse(DirectRig.Vip), new IPAddress(answer.AsSpan(answer.Length - 4)));
        Assert.Equal(1, await rig.MetricAsync("istio_dns_requests_total", "request_query_type=\"A\"", "request_protocol=\"udp\"", "source_canonical_service=\"local\""));
    }

    [RootFact("ip")]
    public async Task MetricFamilies_OfIstio_SayWhetherTheyAreStable()
    {
        await using var rig = await DirectRig.StartAsync();
        using (var program = await rig.OpenAsync(DirectRig.Tunnelled, DirectRig.Port))
            await DirectRig.EchoAsync(program, "traffic");
        await rig.LineAsync("outbound");
        var help = (await (await rig.AskAsync(HttpMethod.Get, 15020, "/stats/prometheus")).Content.ReadAsStringAsync()).Split('\n').Where(l => l.StartsWith("# HELP istio_", StringComparison.Ordinal)).ToList();
        Assert.Equal(Stable.Order(StringComparer.Ordinal), help.Where(l => !l.Contains("unstable", StringComparison.Ordinal)).Select(l => l.Split(' ')[2]).Order(StringComparer.Ordinal));
        Assert.Contains(help, l => l.Contains("unstable", StringComparison.Ordinal));
    }

    [RootFact("ip")]
    public async Task WithoutIpv6_NothingListensOnIt_AndTheDumpHasNoPods()
    {
        await using var rig = await DirectRig.StartAsync(("IPV6_ENABLED", "false"));
        foreach (var port in (int[])[15000, 15001, 15006, 15008, 15020, 15021])
            await Assert.ThrowsAsync<System.Net.Sockets.SocketException>(() => rig.ConnectAsync(new IPEndPoint(IPAddress.IPv6Loopback, port)));
        using var dump = System.Text.Json.JsonDocument.Parse(await (await rig.AskAsync(HttpMethod.Get, 15000, "/config_dump")).Content.ReadAsStringAsync());
        Assert.Equal("0.0.0.0:15020", dump.RootElement.GetProperty("config").GetProperty("statsAddr").GetProperty("SocketAddr").GetString());
        Assert.Equal(3, dump.RootElement.GetProperty("staticConfig").GetProperty("workloads").GetArrayLength());
        Assert.False(dump.RootElement.TryGetProperty("workloadState", out _));
    }

    [RootFact("ip")]
    public async Task Start_WithAPortTaken_EndsAndNamesThePort()
    {
        foreach (var port in (int[])[15000, 15001, 15006, 15008])
        {
            var (exitCode, output) = await DirectRig.StartBesideAsync(port);
            Assert.Equal((71, true), (exitCode, output.Contains($"{port}", StringComparison.Ordinal)));
        }
    }

    [RootFact("ip")]
    public async Task Termination_WaitsForAnOpenConnection_AndTakesNoNewOne()
    {
        await using var rig = await DirectRig.StartAsync(("CONNECTION_TERMINATION_DEADLINE", "100s"));
        using var program = await rig.OpenAsync(DirectRig.Tunnelled, DirectRig.Port);
        await DirectRig.EchoAsync(program, "before");
        await rig.TerminateAsync();
        await Wait.UntilAsync(() => rig.Output.Contains("starting shutdown", StringComparison.Ordinal), () => "the drain");
        await Wait.UntilAsync(async () => await RefusesAsync(rig), () => "the end of the listeners");
        await DirectRig.EchoAsync(program, "meanwhile");
        Assert.False(rig.HasEnded);
        program.Dispose();
        Assert.Equal(0, await rig.EndAsync());
    }

    [RootFact("ip")]
    public async Task Termination_CutsWhatIsOpenAtTheDeadline()
    {
        await using var rig = await DirectRig.StartAsync(("CONNECTION_TERMINATION_DEADLINE", "1s"));
        using var program = await rig.OpenAsync(DirectRig.Tunnelled, DirectRig.Port);
        await DirectRig.EchoAsync(program, "before");
        await rig.TerminateAsync();
        Assert.Equal(0, await program.ReceiveAsync(new byte[1]));
        Assert.Equal(0, await rig.EndAsync());
        Assert.Equal("connection closed due to connection drain", Text(await rig.LineAsync("outbound"), "error"));
    }

    [RootFact("ip")]
    public async Task Quit_ByPost_EndsTheProcessInOrder()
    {
        await using var rig = await DirectRig.StartAsync();
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await rig.AskAsync(HttpMethod.Get, 15000, "/quitquitquit")).StatusCode);
        Assert.Equal("shutdown now\n", await (await rig.AskAsync(HttpMethod.Post, 15000, "/quitquitquit")).Content.ReadAsStringAsync());
        Assert.Equal(0, await rig.EndAsync());
    }

    [RootFact("ip")]
    public async Task RevocationList_ThatAppearsWhileAConnectionIsOpen_EndsIt()
    {
        await using var rig = await DirectRig.StartAsync();
        using var program = await rig.OpenAsync(DirectRig.Tunnelled, DirectRig.Port);
        await DirectRig.EchoAsync(program, "before");
        await rig.RevokeAsync();
        try
        {
            Assert.Equal(0, await program.ReceiveAsync(new byte[1]));
        }
        catch (System.Net.Sockets.SocketException)
        {
            // Cut, not ended.
        }

        Assert.Equal("certificate_revoked", Text(await rig.LineAsync("inbound"), "ending"));
        Assert.False(rig.HasEnded, rig.Output);
    }

    private static async Task<bool> RefusesAsync(DirectRig rig)
    {
        try
        {
            using var another = await rig.OpenAsync(DirectRig.Tunnelled, DirectRig.Port);
            return false;
        }
        catch (System.Net.Sockets.SocketException)
        {
            return true;
        }
    }

    private static string? Text(System.Text.Json.JsonElement line, string name) => line.TryGetProperty(name, out var value) ? value.GetString() : null;
}

using Mesh.Http2;
using Mesh.Model;

namespace Mesh.Hbone.Tests;

public sealed class PoolTests
{
    [Fact]
    public async Task Open_SimultaneousFirstCallers_ShareOneConnection()
    {
        using var rig = new TunnelRig();

        var opened = await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => rig.OpenAsync()));

        Assert.All(opened, o => Assert.True(o.Result.IsOpen, o.Result.Error));
        Assert.Equal(1, rig.OnClient(() => rig.Pool.ConnectionCount));
    }

    [Fact]
    public async Task Open_ABurstBeforeThePeersSettings_IsTaken_WhateverItsLimit()
    {
        using var rig = new TunnelRig(new HboneOptions { Server = Http2Options.ForServer with { MaxConcurrentStreams = 3 } });

        var opened = await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => rig.OpenAsync()));

        Assert.All(opened, o => Assert.True(o.Result.IsOpen, o.Result.Error));
    }

    [Fact]
    public async Task Open_BeyondTheStreamLimit_UsesASecondConnectionAndTheFirstComesBack()
    {
        using var rig = new TunnelRig(new HboneOptions { MaxStreamsPerConnection = 2 });
        var first = await rig.OpenAsync();
        var second = await rig.OpenAsync();
        var third = await rig.OpenAsync();
        Assert.Same(first.Recorder!.Tunnel.Connection, second.Recorder!.Tunnel.Connection);
        Assert.NotSame(first.Recorder.Tunnel.Connection, third.Recorder!.Tunnel.Connection);

        rig.OnClient(() => { first.Recorder.Tunnel.EndWrite(); return 0; });
        await first.Recorder.AllData;
        var fourth = await rig.OpenAsync();

        Assert.Same(second.Recorder.Tunnel.Connection, fourth.Recorder!.Tunnel.Connection);
    }

    [Fact]
    public async Task Open_ManyCallersOfThreeSources_NeedOneConnectionEach()
    {
        using var rig = new TunnelRig();
        string[] clients = ["198.18.1.11", "198.18.1.12", "198.18.1.13"];

        // Each opens, speaks and ends, in no order: what ends makes room for what comes.
        await Task.WhenAll(Enumerable.Range(0, 300).Select(async i =>
        {
            var opened = await rig.OpenAsync(rig.Target(client: clients[i % 3]));
            rig.OnClient(() => { opened.Recorder!.Tunnel.Write("x"u8); opened.Recorder.Tunnel.EndWrite(); return 0; });
            await opened.Recorder!.AllData;
        }));

        Assert.Equal(3, rig.OnClient(() => rig.Pool.ConnectionCount));
    }

    [Fact]
    public async Task Connection_WithoutStreams_IsClosedAfterItsTime_OneWithAStreamIsNot()
    {
        using var rig = new TunnelRig(new HboneOptions { UnusedTimeout = TimeSpan.FromMilliseconds(1) });
        var used = await rig.OpenAsync();
        var unused = await rig.OpenAsync(rig.Target(client: "198.18.1.12"));
        rig.OnClient(() => { unused.Recorder!.Tunnel.EndWrite(); return 0; });
        await unused.Recorder!.AllData;

        while (rig.OnClient(() => rig.Pool.ConnectionCount) > 1)
            await Task.Delay(20);

        rig.OnClient(() => used.Recorder!.Tunnel.Write("still"u8));
        await used.Recorder!.ReceivedAsync(5);
        var again = await rig.OpenAsync();
        Assert.Same(used.Recorder.Tunnel.Connection, again.Recorder!.Tunnel.Connection);
    }

    [Theory]
    [InlineData("spiffe://cluster.local/ns/default/sa/other", "198.18.1.11")]
    [InlineData("spiffe://cluster.local/ns/default/sa/client", "198.18.1.12")]
    public async Task Open_AnotherSource_NeverSharesATunnel(string source, string clientAddress)
    {
        using var rig = new TunnelRig();

        var one = await rig.OpenAsync();
        var other = await rig.OpenAsync(rig.Target(SpiffeId.Parse(source), client: clientAddress));

        Assert.NotSame(one.Recorder!.Tunnel.Connection, other.Recorder!.Tunnel.Connection);
    }

    [Fact]
    public async Task Open_PeerAllowsOneStream_OthersWaitTheirTurn()
    {
        using var rig = new TunnelRig(serverOptions: new HboneOptions { Server = Http2Options.ForServer with { MaxConcurrentStreams = 1 } });
        var first = await rig.OpenAsync();
        rig.OnClient(() => first.Recorder!.Tunnel.Write("x"u8));
        await first.Recorder!.ReceivedAsync(1); // SETTINGS came before this byte

        var waiting = rig.OpenAsync();
        Assert.Equal(1, rig.OnClient(() => rig.Pool.ConnectionCount));
        Assert.False(waiting.IsCompleted);
        rig.OnClient(() => { first.Recorder.Tunnel.EndWrite(); return 0; });

        var second = await waiting;
        Assert.Same(first.Recorder.Tunnel.Connection, second.Recorder!.Tunnel.Connection);
    }

    [Fact]
    public async Task Open_PeerRefuses_StatusAndReasonReachTheCaller()
    {
        using var rig = new TunnelRig { OnRequest = request => request.Refuse(401, Ending.NoPolicyMatched) };

        var (result, _) = await rig.OpenAsync();

        Assert.False(result.IsOpen);
        Assert.Equal(Ending.TunnelRefused, result.Ending);
        Assert.Equal(401, result.Status);
        Assert.Equal("http status: 401", result.Error);
        Assert.Equal("no_policy_matched", result.Headers!.Get(HboneHeaders.Reason));
        Assert.True((await Reopened(rig)).Result.IsOpen); // the connection lives on
    }

    [Fact]
    public async Task Open_PeerHasAnotherIdentity_IsAMismatchOnBothSides()
    {
        using var rig = new TunnelRig();

        var (result, _) = await rig.OpenAsync(rig.Target(accepted: [SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/somebody-else")]));

        Assert.Equal(Ending.PeerIdentityMismatch, result.Ending);
        Assert.Contains(TunnelRig.Server.ToString(), result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_WithoutOwnCertificate_EndsIdentityNotIssuedWithTheCasWords()
    {
        using var rig = new TunnelRig { CertificateError = "the CA said no" };

        var (result, _) = await rig.OpenAsync();

        Assert.Equal(Ending.IdentityNotIssued, result.Ending);
        Assert.Equal("the CA said no", result.Error);
    }

    [Fact]
    public async Task Open_NobodyListens_IsRefusedWithTheAddress()
    {
        using var rig = new TunnelRig();
        using var closed = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.InterNetwork, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        closed.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0)); // bound, not listening: refuses

        var (result, _) = await rig.OpenAsync(rig.Target() with { Address = (System.Net.IPEndPoint)closed.LocalEndPoint! });

        Assert.Equal(Ending.UpstreamRefused, result.Ending);
    }

    [Fact]
    public async Task Open_NoAnswerToConnect_TimesOut()
    {
        using var rig = new TunnelRig(new HboneOptions { ResponseTimeout = TimeSpan.FromMilliseconds(50) }) { OnRequest = _ => { } };

        var (result, _) = await rig.OpenAsync();

        Assert.Equal(Ending.UpstreamTimeout, result.Ending);
    }

    [Fact]
    public async Task Open_AfterThePeerDrained_UsesANewConnectionWhileTheOldStreamLives()
    {
        using var rig = new TunnelRig();
        var first = await rig.OpenAsync();
        rig.OnServer(() =>
        {
            foreach (var connection in rig.Acceptor.Connections.ToArray())
                connection.Drain();
            return 0;
        });
        rig.OnClient(() => first.Recorder!.Tunnel.Write("still"u8));
        await first.Recorder!.ReceivedAsync(5); // GOAWAY was sent before the echo

        var second = await rig.OpenAsync();

        Assert.True(second.Result.IsOpen, second.Result.Error);
        Assert.NotSame(first.Recorder.Tunnel.Connection, second.Recorder!.Tunnel.Connection);
        rig.OnClient(() => { first.Recorder.Tunnel.EndWrite(); return 0; });
        Assert.Equal("still"u8.ToArray(), await first.Recorder.AllData);
    }

    private static Task<(TunnelResult Result, Recorder? Recorder)> Reopened(TunnelRig rig)
    {
        rig.OnServer(() => { rig.OnRequest = request => EchoHandler.Start(request.Accept()!); return 0; });
        return rig.OpenAsync();
    }
}

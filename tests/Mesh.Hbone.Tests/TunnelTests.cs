using System.Security.Cryptography;
using Mesh.Http2;
using Mesh.Model;

namespace Mesh.Hbone.Tests;

public sealed class TunnelTests
{
    [Fact]
    public async Task Tunnel_ClientEndsFirst_StillReceives()
    {
        using var rig = new TunnelRig();
        var opened = await rig.OpenAsync();

        rig.OnClient(() => { opened.Recorder!.Tunnel.Write("last words"u8); opened.Recorder.Tunnel.EndWrite(); return 0; });

        Assert.Equal("last words"u8.ToArray(), await opened.Recorder!.AllData);
    }

    [Fact]
    public async Task Tunnel_ServerEndsFirst_StillReceives()
    {
        Recorder? server = null;
        var accepted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var rig = new TunnelRig();
        rig.OnRequest = request =>
        {
            server = new Recorder(request.Accept()!);
            server.Tunnel.Write("hello"u8);
            server.Tunnel.EndWrite();
            accepted.SetResult();
        };

        var opened = await rig.OpenAsync();
        Assert.Equal("hello"u8.ToArray(), await opened.Recorder!.AllData);
        rig.OnClient(() => { opened.Recorder.Tunnel.Write("after"u8); opened.Recorder.Tunnel.EndWrite(); return 0; });

        await accepted.Task;
        Assert.Equal("after"u8.ToArray(), await server!.AllData);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Tunnel_Reset_ReachesTheOtherSideWithItsCode(bool byClient)
    {
        var server = new TaskCompletionSource<Recorder>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var rig = new TunnelRig();
        rig.OnRequest = request => server.SetResult(new Recorder(request.Accept()!));
        var opened = await rig.OpenAsync();
        var other = await server.Task;

        if (byClient)
            rig.OnClient(() => { opened.Recorder!.Tunnel.Reset(Http2ErrorCode.CANCEL); return 0; });
        else
            rig.OnServer(() => { other.Tunnel.Reset(Http2ErrorCode.CANCEL); return 0; });

        var seen = await (byClient ? other : opened.Recorder!).Reset;
        Assert.Equal((Http2ErrorCode.CANCEL, true), seen);
    }

    [Fact]
    public async Task Tunnel_ConnectionAborted_EveryStreamHearsIt()
    {
        using var rig = new TunnelRig();
        var opened = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => rig.OpenAsync()));

        rig.OnServer(() => { rig.Acceptor.AbortAll("test"); return 0; });

        foreach (var (_, recorder) in opened)
            await recorder!.Reset;
        Assert.True((await rig.OpenAsync()).Result.IsOpen);
    }

    [Fact]
    public async Task Request_DataBeforeTheVerdict_IsKeptAndDelivered()
    {
        TunnelRequest? waiting = null;
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var rig = new TunnelRig();
        rig.OnRequest = request => { waiting = request; arrived.SetResult(); };
        var opening = rig.OpenAsync();
        await arrived.Task;

        // The far side answers and sends in one turn; the recorder is attached only after that.
        rig.OnServer(() =>
        {
            var tunnel = waiting!.Accept()!;
            tunnel.Write("server first"u8);
            tunnel.EndWrite();
            return 0;
        });

        var (_, recorder) = await opening;
        Assert.Equal("server first"u8.ToArray(), await recorder!.AllData);
    }

    [Fact]
    public async Task TunnelStream_BothWaysUnderBackPressure_KeepsEveryByte()
    {
        using var rig = new TunnelRig();
        var pipe = new TaskCompletionSource<TunnelPipe>(TaskCreationOptions.RunContinuationsAsynchronously);
        rig.ClientLoop.Spawn(async () => pipe.SetResult(TunnelPipe.Attach((await rig.Pool.OpenAsync(rig.Target(), TunnelRig.Connect())).Tunnel!)));
        await using var stream = new TunnelStream(await pipe.Task);
        var data = RandomNumberGenerator.GetBytes(8 * 1024 * 1024);

        var writing = Task.Run(async () =>
        {
            await stream.WriteAsync(data);
            stream.EndWrite();
        });
        using var received = new MemoryStream();
        await stream.CopyToAsync(received).WaitAsync(TimeSpan.FromSeconds(60));
        await writing;

        Assert.Equal(SHA256.HashData(data), SHA256.HashData(received.ToArray()));
    }

    /// <summary>More in all than the connection's window: what nobody read must not stay charged to it.</summary>
    [Fact]
    public async Task TunnelPipe_ClosedWithUnreadBytesAfterThePeersEnd_GivesTheConnectionsCreditBack()
    {
        var options = new HboneOptions();
        var data = new byte[1024 * 1024];
        using var rig = new TunnelRig(options);
        rig.OnRequest = request =>
        {
            var pipe = TunnelPipe.Attach(request.Accept()!);
            pipe.PeerEnded.GetAwaiter().OnCompleted(pipe.Close);
        };

        for (var sent = 0; sent <= options.Server.ConnectionWindowSize; sent += data.Length)
        {
            var tunnel = await rig.OpenRawAsync();
            await using var stream = new TunnelStream(await rig.ClientLoop.InvokeAsync(() => TunnelPipe.Attach(tunnel)));
            await stream.WriteAsync(data).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
            stream.EndWrite();
            Assert.Equal(0, await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(TimeSpan.FromSeconds(30)));
        }
    }

    [Fact]
    public async Task Server_ClientOfAnotherTrustDomain_IsRefusedAndNamed()
    {
        using var rig = new TunnelRig();

        var (result, _) = await rig.OpenAsync(rig.Target(SpiffeId.Parse("spiffe://elsewhere/ns/default/sa/client")));

        Assert.False(result.IsOpen);
        var (ending, error) = await rig.HandshakeFailed.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(Ending.PeerIdentityMismatch, ending);
        Assert.Contains("elsewhere", error, StringComparison.Ordinal);
    }
}

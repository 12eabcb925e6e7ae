using System.Net.Sockets;
using System.Security.Cryptography;
using Mesh.Http2;
using Mesh.Model;
using Mesh.Ztunnel.Forwarding;

namespace Mesh.Ztunnel.Tests.Forwarding;

/// <summary>Bytes and endings between a socket and a tunnel, over real TCP, TLS and HTTP/2.</summary>
public sealed class DuplexPumpTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static byte[] Noise(int length) => RandomNumberGenerator.GetBytes(length);

    private static async Task<byte[]> ReadToEndAsync(Socket socket)
    {
        var all = new MemoryStream();
        var buffer = new byte[65536];
        while (await socket.ReceiveAsync(buffer) is var count and > 0)
            all.Write(buffer, 0, count);
        return all.ToArray();
    }

    private static async Task AssertIsResetAsync(Socket socket)
    {
        var failure = await Assert.ThrowsAsync<SocketException>(() => socket.ReceiveAsync(new byte[1]).WaitAsync(Patience));
        Assert.Equal(SocketError.ConnectionReset, failure.SocketErrorCode);
    }

    [Fact]
    public async Task Application_ThatEndsFirst_StillReceives()
    {
        await using var rig = await PumpRig.StartAsync();
        await rig.Application.SendAsync("question"u8.ToArray());
        rig.Application.Shutdown(SocketShutdown.Send);
        await rig.Peer.Ended.WaitAsync(Patience);
        Assert.Equal("question"u8.ToArray(), rig.Peer.Received);

        await rig.OnLoop(() => rig.Peer.Send("answer"u8.ToArray(), end: true));
        Assert.Equal("answer"u8.ToArray(), await ReadToEndAsync(rig.Application).WaitAsync(Patience));
        Assert.Equal(TransferResult.Ok, await rig.Result.WaitAsync(Patience));
        Assert.Equal((6, 8), (rig.ForwardedBytes, rig.ReturnedBytes));
    }

    [Fact]
    public async Task Peer_ThatEndsFirst_StillReceives()
    {
        await using var rig = await PumpRig.StartAsync();
        await rig.OnLoop(() => rig.Peer.Send("bye"u8.ToArray(), end: true));
        Assert.Equal("bye"u8.ToArray(), await ReadToEndAsync(rig.Application).WaitAsync(Patience));
        Assert.False(rig.Result.IsCompleted);

        await rig.Application.SendAsync(Noise(70_000));
        rig.Application.Shutdown(SocketShutdown.Send);
        await rig.Peer.Ended.WaitAsync(Patience);
        Assert.Equal(70_000, rig.Peer.Received.Length);
        Assert.Equal(TransferResult.Ok, await rig.Result.WaitAsync(Patience));
    }

    [Fact]
    public async Task Application_ThatResets_IsAResetForThePeer()
    {
        await using var rig = await PumpRig.StartAsync();
        rig.Application.LingerState = new LingerOption(true, 0);
        rig.Application.Dispose();
        Assert.Equal(Http2ErrorCode.CANCEL, await rig.Peer.WasReset.WaitAsync(Patience));
        Assert.False(rig.Peer.Ended.IsCompleted, "an end in order would make half an answer look whole");
        Assert.Equal(new TransferResult(Ending.PeerReset, TransferSide.Socket, null), await rig.Result.WaitAsync(Patience));
    }

    [Theory]
    [InlineData(Http2ErrorCode.CANCEL)]
    [InlineData(Http2ErrorCode.INTERNAL_ERROR)]
    [InlineData(Http2ErrorCode.ENHANCE_YOUR_CALM)]
    public async Task Stream_ThatIsReset_IsAResetForTheApplication_AfterWhatCameBefore(Http2ErrorCode code)
    {
        await using var rig = await PumpRig.StartAsync();
        await rig.OnLoop(() => rig.Peer.Send("last words"u8.ToArray(), end: false));
        var buffer = new byte[100];
        Assert.Equal(10, await rig.Application.ReceiveAsync(buffer).WaitAsync(Patience));
        await rig.OnLoop(() => rig.Pair.Client.Reset(code));
        await AssertIsResetAsync(rig.Application);
        var result = await rig.Result.WaitAsync(Patience);
        Assert.Equal(Ending.PeerReset, result.Ending);
        if (code != Http2ErrorCode.CANCEL)
            Assert.Contains(code.ToString(), result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stream_ResetWithNoError_IsAFin()
    {
        await using var rig = await PumpRig.StartAsync();
        await rig.OnLoop(() => rig.Pair.Client.Reset(Http2ErrorCode.NO_ERROR));
        Assert.Equal(0, await rig.Application.ReceiveAsync(new byte[1]).WaitAsync(Patience));
        Assert.Equal(TransferResult.Ok, await rig.Result.WaitAsync(Patience));
    }

    [Fact]
    public async Task Stream_ResetAfterItsEnd_IsAFinWithEverythingThatWasSent()
    {
        await using var rig = await PumpRig.StartAsync();
        await rig.OnLoop(() =>
        {
            rig.Peer.Send("all of it"u8.ToArray(), end: true);
            rig.Pair.Client.Reset(Http2ErrorCode.CANCEL);
        });
        Assert.Equal("all of it"u8.ToArray(), await ReadToEndAsync(rig.Application).WaitAsync(Patience));
    }

    [Fact]
    public async Task Connection_ThatIsLost_IsAResetAndEndsTheTransferAsTunnelLost()
    {
        await using var rig = await PumpRig.StartAsync();
        await rig.OnLoop(rig.Pair.LoseConnection);
        Assert.Equal(Ending.TunnelLost, (await rig.Result.WaitAsync(Patience)).Ending);
        await AssertIsResetAsync(rig.Application);
    }

    [Fact]
    public async Task Transfer_ThatIsCutBeforeItBegins_IsToldItsOwnerAllTheSame()
    {
        await using var rig = await PumpRig.StartAsync(cutFirst: Ending.PolicyChanged);
        Assert.Equal(TransferResult.Cut(Ending.PolicyChanged), await rig.Result.WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task Transfer_ThatIsCut_ResetsTheStream_AndEndsTheApplicationInOrder()
    {
        await using var rig = await PumpRig.StartAsync();
        await rig.OnLoop(() => rig.Pump.Cut(Ending.PolicyChanged));
        Assert.Equal("connection closed due to policy change", (await rig.Result.WaitAsync(Patience)).Error);
        Assert.Equal(Http2ErrorCode.CANCEL, await rig.Peer.WasReset.WaitAsync(Patience));
        Assert.Equal(0, await rig.Application.ReceiveAsync(new byte[1]).WaitAsync(Patience));
    }

    [Fact]
    public async Task Application_ThatDoesNotRead_StopsThePeer_AndLosesNothing()
    {
        await using var rig = await PumpRig.StartAsync();
        rig.Application.ReceiveBufferSize = 256 * 1024;
        var data = Noise(32 * 1024 * 1024);
        await rig.OnLoop(() => rig.Peer.Send(data, end: true));

        // Stopped when nothing was taken during several turns of the loop, with far more still to send.
        var before = -1;
        for (var calm = 0; calm < 20; calm++)
        {
            await rig.OnLoop(() => { });
            await Task.Delay(5);
            var sent = await rig.Loop.InvokeAsync(() => rig.Peer.Sent);
            if (sent != before)
                calm = 0;
            before = sent;
        }
        Assert.True(before < 16 * 1024 * 1024, $"{before} bytes were taken although nobody reads");

        var received = await ReadToEndAsync(rig.Application).WaitAsync(Patience);
        Assert.Equal(SHA256.HashData(data), SHA256.HashData(received));
    }

    [Fact]
    public async Task BothDirections_AtOnce_ArriveWhole_AndAllBuffersGoBack()
    {
        await using var rig = await PumpRig.StartAsync();
        var up = Noise(8 * 1024 * 1024);
        var down = Noise(8 * 1024 * 1024);
        await rig.OnLoop(() => rig.Peer.Send(down, end: true));
        var sending = Task.Run(async () =>
        {
            for (var at = 0; at < up.Length; at += 100_000)
                await rig.Application.SendAsync(up.AsMemory(at, Math.Min(100_000, up.Length - at)));
            rig.Application.Shutdown(SocketShutdown.Send);
        });
        var received = await ReadToEndAsync(rig.Application).WaitAsync(Patience);
        await sending.WaitAsync(Patience);
        await rig.Peer.Ended.WaitAsync(Patience);
        Assert.Equal(TransferResult.Ok, await rig.Result.WaitAsync(Patience));
        Assert.Equal(SHA256.HashData(down), SHA256.HashData(received));
        Assert.Equal(SHA256.HashData(up), SHA256.HashData(rig.Peer.Received));
        Assert.Equal((down.Length, up.Length), ((int)rig.ForwardedBytes, (int)rig.ReturnedBytes));
        await rig.OnLoop(() => { });
        Assert.Equal(0, rig.Loop.Metrics.RentedBytes);
    }

    [Fact]
    public async Task HalfClosedTransfer_WithoutAnyByte_EndsAtItsDeadline()
    {
        await using var rig = await PumpRig.StartAsync(halfCloseDeadline: TimeSpan.FromMilliseconds(50));
        rig.Application.Shutdown(SocketShutdown.Send);
        Assert.Equal(Ending.HalfCloseDeadline, (await rig.Result.WaitAsync(Patience)).Ending);
    }

    [Fact]
    public async Task OpenTransfer_WithoutAnyByte_HasNoDeadline()
    {
        await using var rig = await PumpRig.StartAsync(halfCloseDeadline: TimeSpan.FromMilliseconds(20));
        await Task.Delay(100);
        Assert.False(rig.Result.IsCompleted);
        await rig.Application.SendAsync("still here"u8.ToArray());
        await (await rig.Loop.InvokeAsync<Task>(() => rig.Peer.WhenReceived(10))).WaitAsync(Patience);
    }
}

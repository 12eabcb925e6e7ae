using System.Security.Cryptography;

namespace Mesh.Net.Tests;

public sealed class PlainTransportTests
{
    [Fact]
    public async Task Write_BeyondWhatTheKernelTakes_IsCongestedAndDrainsCompletely()
    {
        using var one = new TestLoop();
        using var two = new TestLoop();
        var (client, server) = await Sockets.PairAsync(one.Loop, two.Loop);
        var data = RandomNumberGenerator.GetBytes(8 << 20);
        var sender = new RecordingHandler();
        var receiver = new RecordingHandler();
        PlainTransport writing = null!, reading = null!;
        await two.Do(() =>
        {
            reading = new PlainTransport(server);
            reading.PauseReceiving();
            reading.Start(receiver);
        });
        await one.Do(() =>
        {
            writing = new PlainTransport(client);
            writing.Start(sender);
            writing.Write(data);
            Assert.True(writing.IsCongested);
            Assert.True(writing.PendingBytes > 256 * 1024);
            Assert.True(one.Loop.Metrics.RentedBytes > 0);
            writing.CloseAfterFlush();
            writing.Write(data);
        });
        Assert.Equal(0, receiver.Received);
        await two.Do(reading.ResumeReceiving);
        Assert.Equal(TransportEnding.ClosedByPeer, (await receiver.Closed).Ending);
        Assert.Equal(data.Length, receiver.Received);
        Assert.Equal(Convert.ToHexString(SHA256.HashData(data)), receiver.Hash());
        Assert.Equal(TransportEnding.ClosedHere, (await sender.Closed).Ending);
        await one.Do(() => Assert.Equal((0L, 0L), (one.Loop.Metrics.RentedBytes, one.Loop.Metrics.OpenSockets)));
    }

    [Fact]
    public async Task OnDrained_AfterCongestion_ComesOnceTheKernelTookEverything()
    {
        using var one = new TestLoop();
        using var two = new TestLoop();
        var (client, server) = await Sockets.PairAsync(one.Loop, two.Loop);
        var drained = new TaskCompletionSource<int>();
        var receiver = new RecordingHandler();
        PlainTransport writing = null!;
        await one.Do(() =>
        {
            writing = new PlainTransport(client);
            writing.Start(new RecordingHandler { OnDrain = () => drained.SetResult(writing.PendingBytes) });
            writing.Write(new byte[32 << 20]);
            Assert.True(writing.IsCongested);
        });
        await two.Do(() => new PlainTransport(server).Start(receiver));
        Assert.Equal(0, await drained.Task.WaitAsync(TestLoop.Patience));
        await (await two.Get(() => receiver.ReceivedAsync(32 << 20)));
        await one.Do(writing.Abort);
    }

    [Fact]
    public async Task Abort_ByThePeer_IsReportedAsReset()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await Sockets.PairAsync(test.Loop);
            var handler = new RecordingHandler();
            var aborting = new PlainTransport(client);
            aborting.Start(new RecordingHandler());
            new PlainTransport(server).Start(handler);
            aborting.Abort();
            var (ending, detail) = await handler.Closed;
            Assert.Equal(TransportEnding.Reset, ending);
            Assert.Contains("127.0.0.1", detail, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task Handler_ThatThrows_IsToldTheEndAndTheLoopGoesOn()
    {
        using var test = new TestLoop { ExpectsEscapes = true };
        await test.Run(async () =>
        {
            var (client, server) = await Sockets.PairAsync(test.Loop);
            var handler = new RecordingHandler { OnBytes = _ => throw new InvalidOperationException("mine") };
            new PlainTransport(server).Start(handler);
            await Sockets.SendAllAsync(client, new byte[] { 1 });
            Assert.Equal(TransportEnding.Failed, (await handler.Closed).Ending);
            Assert.Equal("mine", Assert.Single(test.Escaped).Exception.Message);
            client.Dispose();
        });
    }

    [Fact]
    public async Task ReadAndWrite_InTheSteadyState_AllocateNothing()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await Sockets.PairAsync(test.Loop);
            var allocated = await PingPong.MeasureAsync(test.Loop, new PlainTransport(client), new PlainTransport(server), 1000);
            Assert.Equal(0, allocated);
        });
    }
}

using System.Buffers;
using System.IO.Pipelines;
using System.Security.Cryptography;

namespace Mesh.Net.Tests;

public sealed class SocketPipeTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Echo_OnTheLoopAndFromOtherThreads_CarriesEveryByte(bool onLoop)
    {
        using var test = new TestLoop();
        var (near, far) = await PairAsync(test);
        var data = RandomNumberGenerator.GetBytes(5_000_000);
        test.Loop.Spawn(() => EchoAsync(far));
        async Task ExchangeAsync()
        {
            var writing = WriteAsync(near.Output, data);
            var back = await ReadAllAsync(near.Input);
            await writing;
            Assert.Equal(data, back);
        }

        await (onLoop ? test.Run(ExchangeAsync) : Task.Run(ExchangeAsync)).WaitAsync(TestLoop.Patience);
        near.Close();
        await test.Run(() => far.PeerEnded).WaitAsync(TestLoop.Patience);
    }

    [Fact]
    public async Task Read_OnTheLoop_ResumesThere_AndWaitsWithoutABuffer()
    {
        using var test = new TestLoop();
        var (near, far) = await PairAsync(test);
        await test.Run(async () =>
        {
            await near.Output.WriteAsync("ping"u8.ToArray());
            var read = await far.Input.ReadAsync();
            Assert.Equal("ping"u8.ToArray(), read.Buffer.ToArray());
            far.Input.AdvanceTo(read.Buffer.End);
            var waiting = far.Input.ReadAsync();
            Assert.False(waiting.IsCompleted);
            Assert.Equal(0, test.Loop.Metrics.RentedBytes);
            await near.Output.WriteAsync("pong"u8.ToArray());
            read = await waiting;
            Assert.True(test.Loop.InLoop);
            Assert.Equal("pong"u8.ToArray(), read.Buffer.ToArray());
            far.Input.AdvanceTo(read.Buffer.End);
        }).WaitAsync(TestLoop.Patience);
    }

    [Fact]
    public async Task BytesThatWereLookedAt_StayUntilMoreCome()
    {
        using var test = new TestLoop();
        var (near, far) = await PairAsync(test);
        await test.Run(async () =>
        {
            var sent = new List<byte>();
            for (var round = 0; round < 40; round++)
            {
                var piece = RandomNumberGenerator.GetBytes(997);
                sent.AddRange(piece);
                await near.Output.WriteAsync(piece);

                // What is left of a buffer may be less than what has come: the rest is the next read's.
                ReadResult read;
                while ((read = await far.Input.ReadAsync()).Buffer.Length < sent.Count)
                    far.Input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                Assert.Equal(sent, read.Buffer.ToArray());

                // Now and then some of it is taken: what is left moves to the front of its buffer.
                var taken = round % 7 == 6 ? 3001 : 0;
                sent.RemoveRange(0, taken);
                far.Input.AdvanceTo(read.Buffer.GetPosition(taken), read.Buffer.End);
                Assert.False(far.Input.TryRead(out _));
            }
        }).WaitAsync(TestLoop.Patience);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task CancelPendingRead_EndsTheWait_OrTheNextOne(bool fromLoop)
    {
        using var test = new TestLoop();
        var (near, far) = await PairAsync(test);
        var waiting = await test.Get(() => far.Input.ReadAsync().AsTask());
        if (fromLoop)
            await test.Do(far.Input.CancelPendingRead);
        else
            far.Input.CancelPendingRead();
        Assert.True((await waiting.WaitAsync(TestLoop.Patience)).IsCanceled);
        await test.Run(async () =>
        {
            far.Input.CancelPendingRead();
            Assert.True((await far.Input.ReadAsync()).IsCanceled);
            await near.Output.WriteAsync(new byte[1]);
            Assert.Equal(1, (await far.Input.ReadAsync()).Buffer.Length);
        }).WaitAsync(TestLoop.Patience);
    }

    [Fact]
    public async Task Token_EndsTheWait_AndLosesNothing()
    {
        using var test = new TestLoop();
        var (near, far) = await PairAsync(test);
        using var token = new CancellationTokenSource();
        var waiting = await test.Get(() => far.Input.ReadAsync(token.Token).AsTask());
        await token.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(TestLoop.Patience));
        await test.Run(async () =>
        {
            await near.Output.WriteAsync("still there"u8.ToArray());
            Assert.Equal(11, (await far.Input.ReadAsync()).Buffer.Length);
        }).WaitAsync(TestLoop.Patience);
    }

    [Fact]
    public async Task Flush_WaitsForAPeerThatDoesNotRead_UntilItReadsOrIsCancelled()
    {
        using var test = new TestLoop();
        var (near, far) = await PairAsync(test);
        await test.Run(async () =>
        {
            var flushing = near.Output.WriteAsync(new byte[16_000_000]);
            Assert.False(flushing.IsCompleted);
            near.Output.CancelPendingFlush();
            Assert.True((await flushing).IsCanceled);

            // What was flushed is on its way whatever became of the wait.
            near.Output.Complete();
            Assert.Equal(16_000_000, (await ReadAllAsync(far.Input)).Length);
        }).WaitAsync(TestLoop.Patience);
    }

    [Fact]
    public async Task Complete_WithAnError_SendsNothingOfWhatWasNotFlushed()
    {
        using var test = new TestLoop();
        var (near, far) = await PairAsync(test);
        await test.Run(async () =>
        {
            near.Output.Write("half a request"u8);
            near.Output.Complete(new InvalidOperationException("no more"));
            await Assert.ThrowsAsync<IOException>(async () => await far.Input.ReadAsync());
            await far.PeerEnded;
        }).WaitAsync(TestLoop.Patience);
    }

    [Fact]
    public async Task Close_DropsWhatWasNotFlushed_CloseInOrder_SendsIt()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (near, far) = await PairOnLoopAsync(test.Loop);
            near.Output.Write("half"u8);
            near.Close();
            Assert.Empty(await ReadAllAsync(far.Input));
            (near, far) = await PairOnLoopAsync(test.Loop);
            near.Output.Write("whole"u8);
            near.CloseInOrder();
            Assert.Equal("whole"u8.ToArray(), await ReadAllAsync(far.Input));
        }).WaitAsync(TestLoop.Patience);
    }

    [Fact]
    public async Task PeerEnded_IsKnown_WhileNobodyReads()
    {
        using var test = new TestLoop();
        var (near, far) = await PairAsync(test);
        await test.Run(async () =>
        {
            await near.Output.WriteAsync("last words"u8.ToArray());
            near.Output.Complete();
            await far.PeerEnded;
            Assert.Equal("last words"u8.ToArray(), await ReadAllAsync(far.Input));
        }).WaitAsync(TestLoop.Patience);
    }

    [Fact]
    public async Task Abort_EndsEveryWait_WithItsReason()
    {
        using var test = new TestLoop();
        var (near, far) = await PairAsync(test);
        var reading = await test.Get(() => far.Input.ReadAsync().AsTask());
        var writing = await test.Get(() => far.Output.WriteAsync(new byte[16_000_000]).AsTask());
        far.Abort(new IOException("by order"));
        Assert.Equal("by order", (await Assert.ThrowsAsync<IOException>(() => reading.WaitAsync(TestLoop.Patience))).Message);
        Assert.True((await writing.WaitAsync(TestLoop.Patience)).IsCompleted);
        await test.Run(() => near.PeerEnded).WaitAsync(TestLoop.Patience);
        near.Close();
        await test.Do(() => Assert.Equal(0, test.Loop.Metrics.OpenSockets));
    }

    private static Task<(SocketPipe Near, SocketPipe Far)> PairAsync(TestLoop test) => test.Loop.InvokeAsync(() => PairOnLoopAsync(test.Loop));

    private static async Task<(SocketPipe Near, SocketPipe Far)> PairOnLoopAsync(EventLoop loop)
    {
        var (near, far) = await Sockets.PairAsync(loop);
        return (new SocketPipe(near), new SocketPipe(far));
    }

    private static async Task EchoAsync(SocketPipe pipe)
    {
        while (true)
        {
            var read = await pipe.Input.ReadAsync();
            foreach (var segment in read.Buffer)
                await pipe.Output.WriteAsync(segment);
            pipe.Input.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
                break;
        }

        pipe.Output.Complete();
    }

    private static async Task WriteAsync(PipeWriter output, ReadOnlyMemory<byte> data)
    {
        for (var size = 1; data.Length > 0; size = Math.Min(size * 3, 300_000))
        {
            var piece = data[..Math.Min(size, data.Length)];
            Assert.False((await output.WriteAsync(piece)).IsCompleted);
            data = data[piece.Length..];
        }

        output.Complete();
    }

    private static async Task<byte[]> ReadAllAsync(PipeReader input)
    {
        var all = new ArrayBufferWriter<byte>();
        while (true)
        {
            var read = await input.ReadAsync();
            foreach (var segment in read.Buffer)
                all.Write(segment.Span);
            input.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
                return all.WrittenSpan.ToArray();
        }
    }
}

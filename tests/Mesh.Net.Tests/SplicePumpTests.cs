using System.Security.Cryptography;

namespace Mesh.Net.Tests;

[Collection(Alone.Name)]
public sealed class SplicePumpTests
{
    [Fact]
    public async Task Pump_With64MiBEachWay_KeepsBytesAndHalfClose()
    {
        using var middle = new TestLoop();
        using var ends = new TestLoop();
        var (client, first) = await Sockets.PairAsync(ends.Loop, middle.Loop);
        var (server, second) = await Sockets.PairAsync(ends.Loop, middle.Loop);
        var pump = middle.Loop.InvokeAsync(() => SplicePump.RunAsync(first, second));
        const int Total = 64 << 20;
        var data = RandomNumberGenerator.GetBytes(1 << 20);
        await ends.Run(async () =>
        {
            // The client's direction ends first; the server answers only after it has seen that end.
            var upload = SendAsync(client, data, Total);
            Assert.Equal(await ReceiveAsync(server), await upload);
            var download = SendAsync(server, data, Total);
            Assert.Equal(await ReceiveAsync(client), await download);
            client.Dispose();
            server.Dispose();
        });
        var result = await pump.WaitAsync(TestLoop.Patience);
        Assert.Equal((SpliceEnding.Done, null, (long)Total, (long)Total), (result.Ending, result.FirstFailed, result.FirstToSecond, result.SecondToFirst));
        await middle.Do(() => Assert.Equal(0, middle.Loop.Metrics.OpenSockets));
    }

    [Fact]
    public async Task Pump_InBothDirectionsAtOnce_LosesNothing()
    {
        using var middle = new TestLoop();
        using var ends = new TestLoop();
        var (client, first) = await Sockets.PairAsync(ends.Loop, middle.Loop);
        var (server, second) = await Sockets.PairAsync(ends.Loop, middle.Loop);
        var pump = middle.Loop.InvokeAsync(() => SplicePump.RunAsync(first, second));
        var data = RandomNumberGenerator.GetBytes(1 << 20);
        await ends.Run(async () =>
        {
            var all = await Task.WhenAll(SendAsync(client, data, 20 << 20), ReceiveAsync(server), SendAsync(server, data, 30 << 20), ReceiveAsync(client));
            Assert.Equal(all[0], all[1]);
            Assert.Equal(all[2], all[3]);
        });
        Assert.Equal(SpliceEnding.Done, (await pump.WaitAsync(TestLoop.Patience)).Ending);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Pump_WhenOneSideResets_ResetsTheOtherAndSaysWhichItWas(bool clientResets)
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, first) = await Sockets.PairAsync(test.Loop);
            var (server, second) = await Sockets.PairAsync(test.Loop);
            var pump = SplicePump.RunAsync(first, second);
            await Sockets.SendAllAsync(client, new byte[10]);
            await Sockets.ReceiveAllAsync(server, new byte[10]);
            var (resetting, other) = clientResets ? (client, server) : (server, client);
            resetting.Abort();
            var result = await pump;
            Assert.Equal((SpliceEnding.Reset, (bool?)clientResets, 10L), (result.Ending, result.FirstFailed, result.FirstToSecond));
            Assert.Contains("127.0.0.1", result.Detail, StringComparison.Ordinal);
            Assert.Equal(IoStatus.Failed, await Sockets.EndAsync(other));
            Assert.True(other.IsReset);
            other.Dispose();
        });
    }

    [Fact]
    public async Task Pump_BrokenWithBytesOnTheirWay_LeavesNoneOfThemToTheNextOne()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            // Nobody reads at the far end: what the kernel does not take stays in the pipe.
            var (client, first) = await Sockets.PairAsync(test.Loop);
            var (server, second) = await Sockets.PairAsync(test.Loop);
            var broken = SplicePump.Start(first, second, _ => { });
            var secret = new byte[1 << 20];
            Array.Fill(secret, (byte)0xEE);
            for (var moved = -1L; moved != broken.FirstToSecond;)
            {
                moved = broken.FirstToSecond;
                client.TrySend(secret, out _);
                for (var i = 0; i < 50; i++)
                    await Task.Yield();
            }

            broken.Abort();
            client.Dispose();
            server.Dispose();

            (client, first) = await Sockets.PairAsync(test.Loop);
            (server, second) = await Sockets.PairAsync(test.Loop);
            SplicePump.Start(first, second, _ => { });
            await Sockets.SendAllAsync(client, new byte[] { 1, 2, 3 });
            client.ShutdownSend();
            var received = new byte[100];
            Assert.Equal(3, await Sockets.ReceiveAllAsync(server, received));
            Assert.Equal([1, 2, 3], received[..3]);
            client.Dispose();
            server.Dispose();
        });
    }

    [Fact]
    public async Task Pump_HalfClosedAndSilent_EndsByItsDeadline()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, first) = await Sockets.PairAsync(test.Loop);
            var (server, second) = await Sockets.PairAsync(test.Loop);
            var pump = SplicePump.RunAsync(first, second, TimeSpan.FromMilliseconds(50));
            client.ShutdownSend();
            Assert.Equal(SpliceEnding.HalfCloseDeadline, (await pump).Ending);
            client.Dispose();
            server.Dispose();
        });
    }

    [Fact]
    public async Task Pump_ThatIsIdle_HoldsNoPipe()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var before = OpenDescriptors();
            var pairs = new List<LoopSocket>();
            var moved = new List<Func<Task>>();
            for (var i = 0; i < 40; i++)
            {
                var (client, first) = await Sockets.PairAsync(test.Loop);
                var (server, second) = await Sockets.PairAsync(test.Loop);
                SplicePump.Start(first, second, _ => { });
                pairs.AddRange([client, server]);
                moved.Add(async () =>
                {
                    await Sockets.SendAllAsync(client, new byte[100]);
                    await Sockets.ReceiveAllAsync(server, new byte[100]);
                });
            }

            foreach (var move in moved)
                await move();

            // Four sockets each, and the few pipes that the loop keeps for everybody.
            Assert.InRange(OpenDescriptors() - before, 4 * 40, (4 * 40) + 40);
            pairs.ForEach(s => s.Abort());
        });

        static int OpenDescriptors() => Directory.GetFiles("/proc/self/fd").Length;
    }

    private static async Task<string> SendAsync(LoopSocket socket, byte[] data, int total)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var left = total; left > 0;)
        {
            var piece = data.AsMemory(0, Math.Min(data.Length, left));
            hash.AppendData(piece.Span);
            await Sockets.SendAllAsync(socket, piece);
            left -= piece.Length;
        }

        socket.ShutdownSend();
        return Convert.ToHexString(hash.GetCurrentHash());
    }

    private static async Task<string> ReceiveAsync(LoopSocket socket)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[100_000];
        while (true)
        {
            var status = socket.TryReceive(buffer, out var count);
            if (status == IoStatus.Done)
                hash.AppendData(buffer, 0, count);
            else if (status == IoStatus.WouldBlock)
                await socket.WaitReadableAsync();
            else
                return status == IoStatus.EndOfStream ? Convert.ToHexString(hash.GetCurrentHash()) : socket.LastErrorText;
        }
    }
}

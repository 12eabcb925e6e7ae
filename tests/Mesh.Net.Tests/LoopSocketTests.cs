using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Mesh.Net.Tests;

public sealed class LoopSocketTests
{
    [Fact]
    public async Task Echo_BetweenTwoLoops_CarriesEveryByteBothWays()
    {
        using var one = new TestLoop();
        using var two = new TestLoop();
        var (client, server) = await Sockets.PairAsync(one.Loop, two.Loop);
        var data = RandomNumberGenerator.GetBytes(3_000_000);
        two.Loop.Spawn(async () =>
        {
            var buffer = new byte[50_000];
            while (true)
            {
                var status = server.TryReceive(buffer, out var count);
                if (status == IoStatus.WouldBlock)
                    await server.WaitReadableAsync();
                else if (status == IoStatus.Done)
                    await Sockets.SendAllAsync(server, buffer.AsMemory(0, count));
                else
                    break;
            }

            server.Dispose();
        });
        var back = new byte[data.Length];
        await one.Run(async () =>
        {
            var receiving = Sockets.ReceiveAllAsync(client, back);
            await Sockets.SendAllAsync(client, data);
            client.ShutdownSend();
            Assert.Equal(data.Length, await receiving);
            Assert.Equal(IoStatus.EndOfStream, await Sockets.EndAsync(client));
            client.Dispose();
        });
        Assert.Equal(data, back);
        await two.Do(() => Assert.Equal(0, two.Loop.Metrics.OpenSockets));
    }

    [Fact]
    public async Task Connections_ByTheHundred_AreAllServedOnOneLoop()
    {
        using var test = new TestLoop();
        const int Count = 500;
        var listener = await test.Get(() => LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = Sockets.AnyLoopback }, socket => test.Loop.Spawn(async () =>
        {
            var buffer = new byte[4];
            await Sockets.ReceiveAllAsync(socket, buffer);
            Array.Reverse(buffer);
            await Sockets.SendAllAsync(socket, buffer);
            await Sockets.EndAsync(socket);
            socket.Dispose();
        })));
        await test.Run(() => Task.WhenAll(Enumerable.Range(0, Count).Select(async i =>
        {
            var client = await Sockets.ConnectAsync(test.Loop, listener.LocalEndPoint);
            await Sockets.SendAllAsync(client, BitConverter.GetBytes(i));
            var answer = new byte[4];
            await Sockets.ReceiveAllAsync(client, answer);
            Array.Reverse(answer);
            Assert.Equal(i, BitConverter.ToInt32(answer));
            client.Dispose();
        })));
        await test.Do(listener.Dispose);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task HalfClose_InEitherDirection_LeavesTheOtherOpen(bool clientEnds)
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await Sockets.PairAsync(test.Loop);
            var (ending, other) = clientEnds ? (client, server) : (server, client);
            await Sockets.SendAllAsync(ending, new byte[] { 1, 2, 3 });
            ending.ShutdownSend();

            var buffer = new byte[100];
            Assert.Equal(3, await Sockets.ReceiveAllAsync(other, buffer));
            await Sockets.SendAllAsync(other, new byte[100_000]);
            Assert.Equal(100_000, await Sockets.ReceiveAllAsync(ending, new byte[100_000]));
            other.ShutdownSend();
            Assert.Equal(IoStatus.EndOfStream, await Sockets.EndAsync(ending));
            client.Dispose();
            server.Dispose();
        });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Abort_OnEitherSide_ReachesTheOtherAsReset(bool clientAborts)
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await Sockets.PairAsync(test.Loop);
            var (aborting, other) = clientAborts ? (client, server) : (server, client);
            aborting.Abort();
            Assert.True(aborting.IsClosed);
            Assert.Equal(IoStatus.Failed, await Sockets.EndAsync(other));
            Assert.True(other.IsReset);
            Assert.Equal(IoStatus.Failed, other.TrySend(new byte[1], out _));
            other.Dispose();
        });
    }

    [Fact]
    public async Task Wait_WhenTheSocketIsDisposed_EndsWithFalse()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await Sockets.PairAsync(test.Loop);
            while (server.TryReceive(new byte[1], out _) != IoStatus.WouldBlock)
                await Task.Yield();
            var wait = server.WaitReadableAsync();
            Assert.False(wait.IsCompleted);
            await Task.Yield();
            server.Dispose();
            Assert.False(await wait);
            Assert.False(await server.WaitReadableAsync());
            Assert.Equal(IoStatus.Failed, server.TryReceive(new byte[1], out _));
            client.Dispose();
        });
    }

    [Fact]
    public async Task Readiness_ThatCameWhileNobodyListened_IsRemembered()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var (client, server) = await Sockets.PairAsync(test.Loop);
            while (server.TryReceive(new byte[1], out _) != IoStatus.WouldBlock)
                await Task.Yield();
            await Sockets.SendAllAsync(client, new byte[] { 42 });
            for (var i = 0; i < 20; i++)
                await Task.Yield();
            Assert.True(server.WaitReadableAsync().IsCompletedSuccessfully);
            var buffer = new byte[8];
            Assert.Equal(IoStatus.Done, server.TryReceive(buffer, out var count));
            Assert.Equal((1, 42), (count, buffer[0]));

            // A short read means empty: the next attempt needs no system call and an edge will come.
            Assert.Equal(IoStatus.WouldBlock, server.TryReceive(buffer, out _));
            var wait = server.WaitReadableAsync();
            client.ShutdownSend();
            Assert.True(await wait);
            Assert.Equal(IoStatus.EndOfStream, server.TryReceive(buffer, out _));
            client.Dispose();
            server.Dispose();
        });
    }

    [Fact]
    public async Task Endpoints_OfAMappedConnection_AreUnmapped()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var accepted = new TaskCompletionSource<LoopSocket>();
            using var listener = LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = new IPEndPoint(IPAddress.IPv6Any, 0) }, accepted.SetResult);
            var four = await Sockets.ConnectAsync(test.Loop, new IPEndPoint(IPAddress.Loopback, listener.LocalEndPoint.Port));
            var server = await accepted.Task;
            Assert.Equal(new IPEndPoint(IPAddress.Loopback, listener.LocalEndPoint.Port), server.LocalEndPoint);
            Assert.Equal(four.LocalEndPoint, server.RemoteEndPoint);
            Assert.Equal(AddressFamily.InterNetwork, server.RemoteEndPoint.AddressFamily);
            Assert.Equal(server.LocalEndPoint, server.GetOriginalDestination());
            four.Dispose();
            server.Dispose();

            accepted = new TaskCompletionSource<LoopSocket>();
            using var six = LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = new IPEndPoint(IPAddress.IPv6Loopback, 0), IPv6Only = true }, accepted.SetResult);
            var client = await Sockets.ConnectAsync(test.Loop, six.LocalEndPoint);
            server = await accepted.Task;
            Assert.Equal(six.LocalEndPoint, server.LocalEndPoint);
            Assert.Equal(server.LocalEndPoint, server.GetOriginalDestination());
            client.Dispose();
            server.Dispose();
        });
    }

    [Fact]
    public async Task Handler_ThatThrows_LosesItsSocketAndNothingElse()
    {
        using var test = new TestLoop { ExpectsEscapes = true };
        await test.Run(async () =>
        {
            var (client, server) = await Sockets.PairAsync(test.Loop);
            var (otherClient, otherServer) = await Sockets.PairAsync(test.Loop);
            server.Handler = new ThrowingHandler();
            await Sockets.SendAllAsync(client, new byte[] { 1 });
            Assert.NotEqual(IoStatus.Done, await Sockets.EndAsync(client));
            Assert.True(server.IsClosed);
            Assert.Contains(test.Escaped, e => e.Exception.Message == "handler" && e.What.Contains("socket", StringComparison.Ordinal));

            await Sockets.SendAllAsync(otherClient, new byte[] { 7 });
            Assert.Equal(1, await Sockets.ReceiveAllAsync(otherServer, new byte[1]));
            client.Dispose();
            otherClient.Dispose();
            otherServer.Dispose();
        });
    }

    [Fact]
    public async Task LoopDispose_WithOpenSockets_ClosesThemAll()
    {
        var test = new TestLoop();
        var (client, server) = await test.Run(() => Sockets.PairAsync(test.Loop));
        var ended = new TaskCompletionSource<bool>();
        await test.Do(() => test.Loop.Spawn(async () =>
        {
            while (server.TryReceive(new byte[1], out _) == IoStatus.WouldBlock && await server.WaitReadableAsync())
            {
            }

            ended.SetResult(server.IsClosed);
        }));
        test.Dispose();
        Assert.True(client.IsClosed);
        Assert.True(await ended.Task.WaitAsync(TestLoop.Patience));
        Assert.Equal(0, test.Loop.Metrics.OpenSockets);
    }

    [Fact]
    public async Task MoveTo_AnotherLoop_CarriesTheConnectionOnThere()
    {
        using var one = new TestLoop();
        using var two = new TestLoop();
        var (client, server) = await Sockets.PairAsync(one.Loop);
        var arrived = new TaskCompletionSource<LoopSocket>(TaskCreationOptions.RunContinuationsAsynchronously);
        await one.Do(() =>
        {
            client.TrySend(new byte[] { 1, 2 }, out _);
            server.MoveTo(two.Loop, arrived.SetResult);
            Assert.True(server.IsClosed);
            Assert.Equal(1, one.Loop.Metrics.OpenSockets);
        });
        var moved = await arrived.Task.WaitAsync(TestLoop.Patience);
        Assert.Same(two.Loop, moved.Loop);
        await two.Run(async () =>
        {
            Assert.Equal(2, await Sockets.ReceiveAllAsync(moved, new byte[2]));
            Assert.Equal(client.LocalEndPoint, moved.RemoteEndPoint);
            moved.Dispose();
        });
        await one.Run(async () => Assert.Equal(IoStatus.EndOfStream, await Sockets.EndAsync(client)));
    }

    [Fact]
    public async Task MoveTo_ALoopThatHasEnded_ClosesTheConnection()
    {
        using var one = new TestLoop();
        var two = new TestLoop();
        two.Dispose();
        var (client, server) = await Sockets.PairAsync(one.Loop);
        await one.Do(() => server.MoveTo(two.Loop, _ => throw new InvalidOperationException("never")));
        await one.Run(async () => Assert.Equal(IoStatus.EndOfStream, await Sockets.EndAsync(client)));
    }

    [Fact]
    public async Task LoopDispose_WithAStoryThatConnectsAgainAtOnce_EndsAllTheSame()
    {
        var test = new TestLoop();
        var last = new TaskCompletionSource<string?>();
        await test.Run(async () =>
        {
            var listener = LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = Sockets.AnyLoopback }, s => s.Dispose());
            var (client, server) = await Sockets.PairAsync(test.Loop);
            test.Loop.Spawn(async () =>
            {
                while (await server.WaitReadableAsync())
                    server.TryReceive(new byte[1], out _);
                var attempt = await LoopConnector.ConnectAsync(test.Loop, new ConnectOptions { Remote = listener.LocalEndPoint });
                last.SetResult(attempt.Detail);
            });
        });
        test.Dispose();
        Assert.Contains("ending", await last.Task.WaitAsync(TestLoop.Patience), StringComparison.Ordinal);
        Assert.Equal(0, test.Loop.Metrics.OpenSockets);
    }

    [Fact]
    public async Task Socket_AsAnObject_IsLean()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            const int Count = 100;
            var before = GC.GetAllocatedBytesForCurrentThread();
            var sockets = new LoopSocket[Count];
            var raw = Enumerable.Range(0, Count).Select(_ => Native.Libc.socket(Native.Libc.AF_INET, Native.Libc.SOCK_STREAM | Native.Libc.SOCK_NONBLOCK, 0)).ToArray();
            var start = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < Count; i++)
                sockets[i] = new LoopSocket(test.Loop, raw[i], default);
            var each = (GC.GetAllocatedBytesForCurrentThread() - start) / Count;
            Assert.True(before <= start);
            foreach (var socket in sockets)
                socket.Dispose();
            Assert.InRange(each, 1, 300);
            await Task.CompletedTask;
        });
    }

    private sealed class ThrowingHandler : ISocketHandler
    {
        public void OnReadable() => throw new InvalidOperationException("handler");

        public void OnWritable()
        {
        }
    }
}

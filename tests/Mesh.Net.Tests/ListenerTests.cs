using System.Net;
using Mesh.Testing;

namespace Mesh.Net.Tests;

public sealed class ListenerTests
{
    [Fact]
    public async Task Listen_OnATakenPort_SaysWhatAndWhatToDo()
    {
        using var test = new TestLoop();
        await test.Do(() =>
        {
            using var first = LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = Sockets.AnyLoopback }, s => s.Dispose());
            var e = Assert.Throws<SocketFailureException>(() => LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = first.LocalEndPoint }, s => s.Dispose()));
            Assert.Equal(Native.Errno.EADDRINUSE, e.ErrorCode);
            Assert.Contains(first.LocalEndPoint.ToString(), e.Message, StringComparison.Ordinal);
            Assert.Contains("choose another port", e.Message, StringComparison.Ordinal);
        });
        await test.Do(() => Assert.Equal(0, test.Loop.Metrics.OpenSockets));
    }

    [Fact]
    public async Task Listen_WithReusePort_SharesOnePortBetweenLoops()
    {
        using var one = new TestLoop();
        using var two = new TestLoop();
        var counts = new int[2];
        var address = new IPEndPoint(IPAddress.Loopback, 0);
        var first = await one.Get(() => LoopListener.Listen(one.Loop, new ListenOptions { EndPoint = address, ReusePort = true }, s => Count(s, 0)));
        address = first.LocalEndPoint;
        await two.Get(() => LoopListener.Listen(two.Loop, new ListenOptions { EndPoint = address, ReusePort = true }, s => Count(s, 1)));
        await one.Run(async () =>
        {
            // 2^-100 that the kernel's hash sends all of them to one listener.
            for (var i = 0; i < 100; i++)
            {
                var client = await Sockets.ConnectAsync(one.Loop, address);
                Assert.Equal(IoStatus.EndOfStream, await Sockets.EndAsync(client));
                client.Dispose();
            }
        });
        Assert.Equal(100, counts.Sum());
        Assert.DoesNotContain(0, counts);

        void Count(LoopSocket socket, int index)
        {
            Interlocked.Increment(ref counts[index]);
            socket.Dispose();
        }
    }

    [Fact]
    public async Task Accept_OfABurst_HandsOverEveryConnection()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var accepted = 0;
            var all = new TaskCompletionSource();
            using var listener = LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = Sockets.AnyLoopback }, s =>
            {
                s.Dispose();
                if (++accepted == 300)
                    all.SetResult();
            });
            var clients = await Task.WhenAll(Enumerable.Range(0, 300).Select(_ => Sockets.ConnectAsync(test.Loop, listener.LocalEndPoint)));
            await all.Task.WaitAsync(TestLoop.Patience);
            foreach (var client in clients)
                client.Dispose();
        });
    }

    [Fact]
    public async Task CloseAfterAccepting_WithConnectionsWaiting_HandsThemOverFirst()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var accepted = new List<LoopSocket>();
            var listener = LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = Sockets.AnyLoopback }, accepted.Add);

            // Connected by another kernel thread of execution while this loop is busy here: the listener has had no chance to run.
            var clients = Enumerable.Range(0, 10).Select(_ => new System.Net.Sockets.TcpClient()).ToList();
            clients.ForEach(c => c.Connect(listener.LocalEndPoint));
            Assert.Empty(accepted);
            listener.CloseAfterAccepting();
            Assert.Equal(10, accepted.Count);
            Assert.True(listener.IsClosed);
            accepted.ForEach(s => s.Dispose());
            clients.ForEach(c => c.Dispose());
            await Task.CompletedTask;
        });
    }

    [Fact]
    public async Task Accepted_WhenTheCallbackThrows_ClosesThatConnectionOnly()
    {
        using var test = new TestLoop { ExpectsEscapes = true };
        await test.Run(async () =>
        {
            var calls = 0;
            using var listener = LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = Sockets.AnyLoopback }, s =>
            {
                if (++calls == 1)
                    throw new InvalidOperationException("accept");
                s.Dispose();
            });
            for (var i = 0; i < 2; i++)
            {
                var client = await Sockets.ConnectAsync(test.Loop, listener.LocalEndPoint);
                await Sockets.EndAsync(client);
                client.Dispose();
            }

            Assert.Equal(2, calls);
            Assert.Single(test.Escaped);
        });
    }

    [Fact]
    public async Task Listener_WithoutDescriptors_RefusesRestsAndRecovers()
    {
        var (exitCode, output) = await Scenarios.RunAsync("exhaust-descriptors");
        Assert.True(exitCode == 0, output);
        foreach (var line in (string[])["hoarded True", "refused True", "rested True", "calm True", "recovered True"])
            Assert.Contains(line, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Accepted_Sockets_InheritNoDelayKeepAliveAndUserTimeout()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            var accepted = new TaskCompletionSource<LoopSocket>();
            var options = new ListenOptions { EndPoint = Sockets.AnyLoopback, KeepAlive = new KeepAliveOptions(TimeSpan.FromSeconds(180), TimeSpan.FromSeconds(60), 9), UserTimeout = TimeSpan.FromSeconds(720) };
            using var listener = LoopListener.Listen(test.Loop, options, accepted.SetResult);
            var client = await Sockets.ConnectAsync(test.Loop, listener.LocalEndPoint);
            var server = await accepted.Task;
            Assert.Equal(1, Option(server, Native.Libc.SOL_TCP, Native.Libc.TCP_NODELAY));
            Assert.Equal(1, Option(server, Native.Libc.SOL_SOCKET, Native.Libc.SO_KEEPALIVE));
            Assert.Equal((180, 60, 9), (Option(server, Native.Libc.SOL_TCP, Native.Libc.TCP_KEEPIDLE), Option(server, Native.Libc.SOL_TCP, Native.Libc.TCP_KEEPINTVL), Option(server, Native.Libc.SOL_TCP, Native.Libc.TCP_KEEPCNT)));
            Assert.Equal(720_000, Option(server, Native.Libc.SOL_TCP, Native.Libc.TCP_USER_TIMEOUT));
            Assert.Equal(1, Option(client, Native.Libc.SOL_TCP, Native.Libc.TCP_NODELAY));
            client.Dispose();
            server.Dispose();
        });

        static unsafe int Option(LoopSocket socket, int level, int name)
        {
            var value = 0;
            uint length = sizeof(int);
            Assert.Equal(0, Native.Libc.getsockopt(socket.Descriptor, level, name, &value, &length));
            return value;
        }
    }

    [RootFact]
    public void Probes_OfRights_SayYesForRoot()
    {
        Assert.True(LoopListener.CanBeTransparent());
        Assert.True(LoopListener.CanMark(1337));
    }
}

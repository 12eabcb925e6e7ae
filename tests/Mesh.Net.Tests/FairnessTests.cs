namespace Mesh.Net.Tests;

public sealed class FairnessTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Transport_ThatNeverRunsDry_DoesNotKeepAnotherConnectionWaiting(bool tls)
    {
        using var test = new TestLoop(new EventLoopOptions { BytesPerIteration = 64 * 1024 });
        using var feeder = new TestLoop();
        ITransport greedySender, greedyReceiver;
        if (tls)
        {
            (greedySender, greedyReceiver) = await TlsTransportTests.ConnectAsync(feeder.Loop, test.Loop);
        }
        else
        {
            var (client, server) = await Sockets.PairAsync(feeder.Loop, test.Loop);
            (greedySender, greedyReceiver) = (new PlainTransport(client), new PlainTransport(server));
        }

        var (politeSender, politeReceiver) = await Sockets.PairAsync(feeder.Loop, test.Loop);

        var stop = false;
        var chunk = new byte[1 << 20];
        await feeder.Do(() =>
        {
            greedySender.Start(new RecordingHandler { OnDrain = Feed });
            Feed();
        });

        var mostInARow = 0L;
        var inARow = 0L;
        var politeBytes = new TaskCompletionSource();
        await test.Do(() =>
        {
            var iteration = -1L;
            var greedy = new RecordingHandler
            {
                OnBytes = n =>
                {
                    inARow = iteration == test.Loop.Metrics.Iterations ? inARow + n : n;
                    iteration = test.Loop.Metrics.Iterations;
                    mostInARow = Math.Max(mostInARow, inARow);
                },
            };
            greedyReceiver.Start(greedy);
            var received = 0;
            new PlainTransport(politeReceiver).Start(new RecordingHandler
            {
                OnBytes = n =>
                {
                    received += n;
                    if (received == 100)
                        politeBytes.SetResult();
                },
            });
        });
        for (var i = 0; i < 100; i++)
            await feeder.Run(() => Sockets.SendAllAsync(politeSender, new byte[1]));
        await politeBytes.Task.WaitAsync(TestLoop.Patience);
        await feeder.Do(() => stop = true);

        // The start of an iteration may find a turn asked for by the one before: at most two budgets and one read beyond each.
        await test.Do(() => Assert.InRange(mostInARow, 1, 2 * (64 + 64) * 1024));
        await feeder.Do(greedySender.Abort);

        void Feed()
        {
            while (!stop && !greedySender.IsCongested)
                greedySender.Write(chunk);
        }
    }

    /// <summary>What strangers do on a listener must not be felt on connections that stand.</summary>
    [Fact]
    public async Task Listener_UnderAFlood_TakesABatchATurn_AndAnOpenConnectionIsServedInTheFirst()
    {
        const int Flood = 300;
        const int Batch = 64;
        using var test = new TestLoop();
        using var others = new TestLoop();
        var (politeSender, politeReceiver) = await Sockets.PairAsync(others.Loop, test.Loop);
        var turns = new List<long>();
        var politeTurn = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var listener = await test.Get(() => LoopListener.Listen(test.Loop, new ListenOptions { EndPoint = Sockets.AnyLoopback, Backlog = 1024 }, socket =>
        {
            turns.Add(test.Loop.Metrics.Iterations);
            socket.Dispose();
            if (turns.Count == Flood)
                all.SetResult();
        }));
        await test.Do(() => new PlainTransport(politeReceiver).Start(new RecordingHandler { OnBytes = _ => politeTurn.TrySetResult(test.Loop.Metrics.Iterations) }));

        // The loop is held while everything arrives: in its next turn all of it is there at once.
        using var held = new ManualResetEventSlim();
        var holding = test.Do(() => Assert.True(held.Wait(TestLoop.Patience)));
        for (var i = 0; i < Flood; i++)
            await Sockets.ConnectAsync(others.Loop, listener.LocalEndPoint);
        await others.Run(() => Sockets.SendAllAsync(politeSender, new byte[1]));
        held.Set();
        await holding;
        await all.Task.WaitAsync(TestLoop.Patience);
        var served = await politeTurn.Task.WaitAsync(TestLoop.Patience);

        await test.Do(() =>
        {
            // A turn that was asked for by the one before comes on top of what the kernel reports.
            Assert.InRange(turns.GroupBy(t => t).Max(g => g.Count()), 1, 2 * Batch);
            Assert.InRange(served - turns[0], long.MinValue, 1);
            listener.Dispose();
        });
    }
}

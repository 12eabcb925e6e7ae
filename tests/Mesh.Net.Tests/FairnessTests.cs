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
}

namespace Mesh.Net.Tests;

public sealed class FairnessTests
{
    [Fact]
    public async Task Transport_ThatNeverRunsDry_DoesNotKeepAnotherConnectionWaiting()
    {
        using var test = new TestLoop(new EventLoopOptions { BytesPerIteration = 64 * 1024 });
        using var feeder = new TestLoop();
        var (greedySender, greedyReceiver) = await Sockets.PairAsync(feeder.Loop, test.Loop);
        var (politeSender, politeReceiver) = await Sockets.PairAsync(feeder.Loop, test.Loop);

        var stop = false;
        feeder.Loop.Spawn(async () =>
        {
            var chunk = new byte[1 << 20];
            while (!stop && await greedySender.WaitWritableAsync())
                greedySender.TrySend(chunk, out _);
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
            new PlainTransport(greedyReceiver).Start(greedy);
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
    }
}

using System.Collections.Concurrent;

namespace Mesh.Net.Tests;

public sealed class PostingTests
{
    [Fact]
    public async Task Post_FromManyThreads_RunsEverythingOnceAndKeepsEachCallersOrder()
    {
        using var test = new TestLoop();
        const int Threads = 8, PerThread = 5000;
        var seen = new List<(int Thread, int Number)>();
        var threads = Enumerable.Range(0, Threads).Select(t => new Thread(() =>
        {
            for (var i = 0; i < PerThread; i++)
            {
                var number = i;
                test.Loop.Post(() => seen.Add((t, number)));
            }
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        await test.Do(() => { });
        Assert.Equal(Threads * PerThread, seen.Count);
        foreach (var caller in seen.GroupBy(s => s.Thread))
            Assert.Equal(Enumerable.Range(0, PerThread), caller.Select(s => s.Number));
    }

    [Fact]
    public async Task InvokeAsync_WhenTheFunctionThrows_GivesTheExceptionToTheCaller()
    {
        using var test = new TestLoop();
        var e = await Assert.ThrowsAsync<FormatException>(() => test.Loop.InvokeAsync((Func<int>)(() => throw new FormatException("x"))));
        Assert.Equal("x", e.Message);
    }

    [Fact]
    public async Task Await_OnForeignWork_ComesBackToTheLoop()
    {
        using var test = new TestLoop();
        await test.Run(async () =>
        {
            Assert.True(test.Loop.InLoop);
            await Task.Run(() => Assert.False(test.Loop.InLoop));
            Assert.True(test.Loop.InLoop);
            await Task.Yield();
            Assert.True(test.Loop.InLoop);
        });
    }

    [Fact]
    public async Task Spawn_WhenTheStoryThrowsLater_ReportsIt()
    {
        using var test = new TestLoop { ExpectsEscapes = true };
        test.Loop.Spawn(async () =>
        {
            await Task.Yield();
            throw new InvalidDataException("later");
        });
        // The story and its report are turns of the loop of their own; how many come before ours is not ours to know.
        using var patience = new CancellationTokenSource(TestLoop.Patience);
        while (test.Escaped.Count == 0 && !patience.IsCancellationRequested)
            await test.Do(() => { });
        Assert.Equal("later", Assert.Single(test.Escaped).Exception.Message);
    }

    /// <summary>A detour over the thread pool at the end of each story would cost each connection the wake-up of another thread.</summary>
    [Fact]
    public async Task Spawn_WhenTheStoryThrowsOnTheLoop_ReportsItThere()
    {
        var reportedOn = new TaskCompletionSource<EventLoop?>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var loop = EventLoop.Start("test", new EventLoopOptions { UnhandledException = (_, _) => reportedOn.SetResult(EventLoop.Current) });
        loop.Spawn(async () =>
        {
            await Task.Yield();
            throw new InvalidDataException("later");
        });
        Assert.Same(loop, await reportedOn.Task.WaitAsync(TestLoop.Patience));
    }

    [Fact]
    public void Send_FromAnotherThread_WaitsForTheResult()
    {
        using var test = new TestLoop();
        var ran = false;
        test.Loop.Send(_ => ran = test.Loop.InLoop, null);
        Assert.True(ran);
    }

    [Fact]
    public async Task Dispose_WithWorkUnderway_RunsWhatWasPostedAndCancelsWhatComesLater()
    {
        var test = new TestLoop();
        var ran = new ConcurrentQueue<int>();
        for (var i = 0; i < 100; i++)
        {
            var number = i;
            test.Loop.Post(() => ran.Enqueue(number));
        }

        test.Dispose();
        Assert.Equal(Enumerable.Range(0, 100), ran);
        test.Loop.Post(() => ran.Enqueue(-1));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => test.Loop.InvokeAsync(() => 1)).WaitAsync(TestLoop.Patience);
        Assert.DoesNotContain(-1, ran);
        test.Loop.Dispose();
    }

    [Fact]
    public async Task Dispose_FromInsideTheLoop_EndsItWithoutWaitingForItself()
    {
        using var test = new TestLoop();
        await test.Do(test.Loop.Dispose);
    }

    [Fact]
    public async Task Flush_AskedForManyTimes_RunsOncePerIteration()
    {
        using var test = new TestLoop();
        var dirty = new Dirty();
        await test.Do(() =>
        {
            for (var i = 0; i < 10; i++)
                test.Loop.FlushAtEndOfIteration(dirty);
            Assert.Equal(0, dirty.Flushes);
        });
        await test.Do(() => Assert.Equal(1, dirty.Flushes));
        await test.Do(() => test.Loop.FlushAtEndOfIteration(dirty));
        await test.Do(() => Assert.Equal(2, dirty.Flushes));
    }

    [Fact]
    public async Task Flush_ThatThrows_ClosesItsOwnerAndTheLoopGoesOn()
    {
        using var test = new TestLoop { ExpectsEscapes = true };
        var bad = new Dirty { Fault = new InvalidOperationException("flush") };
        var good = new Dirty();
        await test.Do(() =>
        {
            test.Loop.FlushAtEndOfIteration(bad);
            test.Loop.FlushAtEndOfIteration(good);
        });
        await test.Do(() => { });
        Assert.Equal("flush", Assert.Single(test.Escaped).Exception.Message);
        Assert.True(bad.Disposed);
        Assert.Equal(1, good.Flushes);
    }

    [Fact]
    public async Task Resume_ThatAsksForItselfForEver_DoesNotStarvePostedWorkAndTimers()
    {
        using var test = new TestLoop();
        var greedy = new Greedy(test.Loop);
        var timer = new TaskCompletionSource();
        await test.Do(() =>
        {
            test.Loop.RunNextIteration(greedy);
            test.Loop.Schedule(TimeSpan.FromMilliseconds(20), timer.SetResult);
        });
        await timer.Task.WaitAsync(TestLoop.Patience);
        await test.Do(() => greedy.Stop = true);
        Assert.True(greedy.Turns > 1);
    }

    private sealed class Greedy(EventLoop loop) : IResumable
    {
        public bool IsResumeQueued { get; set; }

        internal int Turns { get; private set; }

        internal bool Stop { get; set; }

        public void Resume()
        {
            Turns++;
            if (!Stop)
                loop.RunNextIteration(this);
        }
    }

    private sealed class Dirty : IFlushable, IDisposable
    {
        public bool IsQueued { get; set; }

        internal int Flushes { get; private set; }

        internal bool Disposed { get; private set; }

        internal Exception? Fault { get; init; }

        public void Flush()
        {
            if (Fault is not null)
                throw Fault;
            Flushes++;
        }

        public void Dispose() => Disposed = true;
    }
}

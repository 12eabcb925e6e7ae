using Mesh.Testing;

namespace Mesh.Net.Tests;

public sealed class TimerTests
{
    [Fact]
    public async Task Timers_OfDifferentDelays_FireInOrderOfTheirDueTime()
    {
        using var test = new TestLoop();
        var order = new List<int>();
        var done = new TaskCompletionSource();
        await test.Do(() =>
        {
            test.Loop.Schedule(TimeSpan.FromMilliseconds(90), () =>
            {
                order.Add(3);
                done.SetResult();
            });
            test.Loop.Schedule(TimeSpan.FromMilliseconds(20), () => order.Add(1));
            test.Loop.Schedule(TimeSpan.FromMilliseconds(50), () => order.Add(2));
        });
        await done.Task.WaitAsync(TestLoop.Patience);
        Assert.Equal([1, 2, 3], order);
        await test.Do(() => Assert.Equal(0, test.Loop.Metrics.ActiveTimers));
    }

    [Fact]
    public async Task Timer_WithAManualClock_FiresNotOneTickEarly()
    {
        var time = new ManualTimeProvider();
        using var test = new TestLoop(new EventLoopOptions { Time = time });
        var fired = new TaskCompletionSource();
        await test.Do(() => test.Loop.Schedule(TimeSpan.FromSeconds(5), fired.SetResult));

        time.Advance(TimeSpan.FromMilliseconds(4999));
        await test.Do(() => { });
        await test.Do(() => { });
        Assert.False(fired.Task.IsCompleted);

        time.Advance(TimeSpan.FromMilliseconds(20));
        await fired.Task.WaitAsync(TestLoop.Patience);
    }

    [Fact]
    public async Task Timer_SetBetweenTwoTicks_IsRoundedUpAndNotDown()
    {
        var time = new ManualTimeProvider();
        using var test = new TestLoop(new EventLoopOptions { Time = time });
        time.Advance(TimeSpan.FromMilliseconds(7));
        var fired = new TaskCompletionSource();
        await test.Do(() => test.Loop.Schedule(TimeSpan.FromMilliseconds(10), fired.SetResult));
        time.Advance(TimeSpan.FromMilliseconds(9));
        await test.Do(() => { });
        await test.Do(() => { });
        Assert.False(fired.Task.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(10));
        await fired.Task.WaitAsync(TestLoop.Patience);
    }

    [Fact]
    public async Task Cancel_BeforeTheTime_KeepsTheCallbackFromRunning()
    {
        var time = new ManualTimeProvider();
        using var test = new TestLoop(new EventLoopOptions { Time = time });
        var cancelled = 0;
        var other = new TaskCompletionSource();
        await test.Do(() =>
        {
            var timer = test.Loop.Schedule(TimeSpan.FromSeconds(1), () => cancelled++);
            test.Loop.Schedule(TimeSpan.FromSeconds(2), other.SetResult);
            Assert.True(timer.IsActive);
            timer.Cancel();
            timer.Cancel();
            Assert.False(timer.IsActive);
        });
        time.Advance(TimeSpan.FromSeconds(3));
        await other.Task.WaitAsync(TestLoop.Patience);
        Assert.Equal(0, cancelled);
    }

    [Fact]
    public async Task Timer_StartedAgain_MovesInsteadOfFiringTwice()
    {
        var time = new ManualTimeProvider();
        using var test = new TestLoop(new EventLoopOptions { Time = time });
        var fired = 0;
        LoopTimer timer = null!;
        await test.Do(() =>
        {
            timer = test.Loop.CreateTimer(_ => fired++, null);
            timer.Start(TimeSpan.FromSeconds(1));
            timer.Start(TimeSpan.FromMinutes(10));
        });
        time.Advance(TimeSpan.FromMinutes(9));
        await test.Do(() => Assert.Equal(0, fired));
        time.Advance(TimeSpan.FromMinutes(2));
        await test.Do(() => { });
        await test.Do(() => Assert.Equal(1, fired));
    }

    [Fact]
    public async Task Callback_ThatThrows_IsReportedAndTheOthersStillRun()
    {
        using var test = new TestLoop { ExpectsEscapes = true };
        var ran = new TaskCompletionSource();
        await test.Do(() =>
        {
            test.Loop.Schedule(TimeSpan.Zero, () => throw new InvalidOperationException("boom"));
            test.Loop.Schedule(TimeSpan.FromMilliseconds(20), ran.SetResult);
        });
        await ran.Task.WaitAsync(TestLoop.Patience);
        Assert.Equal("boom", Assert.Single(test.Escaped).Exception.Message);
        Assert.Equal(1, test.Loop.Metrics.UnhandledExceptions);
    }

    [Fact]
    public async Task Schedule_FromAnotherThread_IsRefused()
    {
        using var test = new TestLoop();
        Assert.Throws<InvalidOperationException>(() => test.Loop.Schedule(TimeSpan.Zero, () => { }));
        await test.Do(() => Assert.Same(test.Loop, EventLoop.Current));
        Assert.Null(EventLoop.Current);
    }
}

using Mesh.Net.Loop;

namespace Mesh.Net.Tests;

public sealed class BusyPollTests
{
    [Fact]
    public void Rule_BeforeAnyWait_DoesNotLook() => Assert.False(new BusyPollRule().Pays);

    [Fact]
    public void Rule_AfterALongSleep_DoesNotLook()
    {
        var rule = new BusyPollRule();
        rule.SleptFor(briefly: false);
        Assert.False(rule.Pays);
    }

    [Fact]
    public void Rule_AfterAShortSleep_LooksUntilTwoLooksInARowWereInVain()
    {
        var rule = new BusyPollRule();
        rule.SleptFor(briefly: true);
        Assert.True(rule.Pays);
        rule.LookEnded(found: false);
        Assert.True(rule.Pays);
        rule.LookEnded(found: true);
        rule.LookEnded(found: false);
        Assert.True(rule.Pays);
        rule.LookEnded(found: false);
        Assert.False(rule.Pays);
        rule.SleptFor(briefly: false);
        Assert.False(rule.Pays);
        rule.SleptFor(briefly: true);
        Assert.True(rule.Pays);
    }

    /// <summary>A look as long as an hour: the loop never sleeps except for what a timer leaves.</summary>
    [Fact]
    public async Task Loop_ThatLooksForAnHour_TakesPostsSocketsAndTimersInTime()
    {
        using var test = new TestLoop(new EventLoopOptions { BusyPoll = TimeSpan.FromHours(1) });
        for (var i = 0; i < 100; i++)
            Assert.Equal(i, await test.Get(() => i));
        await test.Run(async () =>
        {
            var (client, server) = await Sockets.PairAsync(test.Loop);
            await Sockets.SendAllAsync(client, new byte[64]);
            Assert.Equal(64, await Sockets.ReceiveAllAsync(server, new byte[64]));
            var due = new TaskCompletionSource();
            test.Loop.Schedule(TimeSpan.FromMilliseconds(20), due.SetResult);
            await due.Task;
        });
        Assert.True(test.Loop.Metrics.VainLooks > 0, "the look that the timer ended is counted");
    }

    /// <summary>Where only timers wake the loop, looking is in vain each time.</summary>
    [Fact]
    public async Task Loop_ThatOnlyTimersWake_StopsLooking()
    {
        using var test = new TestLoop(new EventLoopOptions { BusyPoll = TimeSpan.FromHours(1) });
        await test.Run(async () =>
        {
            for (var i = 0; i < 6; i++)
            {
                var due = new TaskCompletionSource();
                test.Loop.Schedule(TimeSpan.FromMilliseconds(20), due.SetResult);
                await due.Task;
            }
        });
        Assert.InRange(test.Loop.Metrics.VainLooks, 1, 2);
    }

    [Fact]
    public async Task Loop_WithoutBusyPoll_NeverLooks()
    {
        using var test = new TestLoop(new EventLoopOptions { BusyPoll = TimeSpan.Zero });
        await test.Run(() =>
        {
            var due = new TaskCompletionSource();
            test.Loop.Schedule(TimeSpan.FromMilliseconds(20), due.SetResult);
            return due.Task;
        });
        Assert.Equal(0, test.Loop.Metrics.VainLooks);
    }
}

using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Mesh.Net.Loop;

namespace Mesh.Net.Tests;

/// <summary>The wheel against a list that is searched from end to end.</summary>
public sealed class TimerWheelTests
{
    /// <summary>Steps are drawn from all magnitudes: same slot, next slot, next level, far away.</summary>
    private static readonly Arbitrary<long> s_distance =
        Gen.OneOf(Gen.Choose(0, 70), Gen.Choose(0, 5000), Gen.Choose(0, 400_000), Gen.Choose(0, 40_000_000), Gen.Constant(1).Select(_ => 64), Gen.Constant(1).Select(_ => 4096))
            .Select(i => (long)i)
            .ToArbitrary();

    [Property(MaxTest = 300)]
    public Property Wheel_UnderAnySequenceOfOperations_FiresExactlyWhatTheModelFires()
    {
        var operation = from kind in Gen.Frequency((5, Gen.Constant(0)), (1, Gen.Constant(1)), (2, Gen.Constant(2)), (1, Gen.Constant(3)))
                        from distance in s_distance.Generator
                        from pick in Gen.Choose(0, 1000)
                        select (Kind: kind, Distance: distance, Pick: pick);
        return Prop.ForAll(operation.ListOf().ToArbitrary(), operations => Check([.. operations]));
    }

    [Fact]
    public void NextTick_OfATimerFarAway_IsNeverLaterThanItsDueTick()
    {
        var wheel = new TimerWheel();
        var timer = NewTimer();
        wheel.Add(timer, 1_000_000);
        var fired = 0;
        for (var steps = 0; fired == 0; steps++)
        {
            Assert.True(wheel.NextTick() is > 0 and <= 1_000_000);
            Assert.True(steps < 10, "cascades a few times, not once per tick");
            wheel.Advance(wheel.NextTick(), 0, (_, _) => fired++);
        }

        Assert.Equal(1_000_000, wheel.Current);
        Assert.Equal(-1, wheel.NextTick());
    }

    [Fact]
    public void Callback_ThatAddsAndCancels_DoesNotDisturbTheOthers()
    {
        var wheel = new TimerWheel();
        var timers = Enumerable.Range(0, 10).Select(_ => NewTimer()).ToList();
        foreach (var timer in timers)
            wheel.Add(timer, 5);
        var fired = new List<LoopTimer>();
        wheel.Advance(20, 0, (_, timer) =>
        {
            fired.Add(timer);
            if (fired.Count == 1)
            {
                foreach (var other in timers.Where(t => t.IsActive).Take(4).ToList())
                    wheel.Remove(other);
                wheel.Add(timer, 7);
            }
        });
        Assert.Equal(7, fired.Count);
        Assert.Equal(2, fired.Count(t => t == fired[0]));
        Assert.Equal(0, wheel.Count);
    }

    private static bool Check((int Kind, long Distance, int Pick)[] operations)
    {
        var wheel = new TimerWheel();
        var model = new Dictionary<LoopTimer, long>();
        long now = 0;
        foreach (var (kind, distance, pick) in operations)
        {
            switch (kind)
            {
                case 0:
                    var timer = NewTimer();
                    wheel.Add(timer, now + distance);
                    model[timer] = Math.Max(now + distance, now + 1);
                    break;
                case 1 when model.Count > 0:
                    var victim = model.Keys.ElementAt(pick % model.Count);
                    wheel.Remove(victim);
                    model.Remove(victim);
                    break;
                case 2:
                    now += distance;
                    if (!Advance(wheel, model, now))
                        return false;
                    break;
                case 3 when wheel.NextTick() is > 0 and var next:
                    // Sleeping exactly until the announced tick must not miss anything that was due before.
                    if (model.Values.Min() < next)
                        return false;
                    now = next;
                    if (!Advance(wheel, model, now))
                        return false;
                    break;
            }

            if (wheel.Count != model.Count || (model.Count == 0) != (wheel.NextTick() == -1))
                return false;
        }

        return true;
    }

    private static bool Advance(TimerWheel wheel, Dictionary<LoopTimer, long> model, long now)
    {
        var expected = model.Where(m => m.Value <= now).Select(m => m.Value).Order().ToList();
        var fired = new List<long>();
        wheel.Advance(now, 0, (_, timer) =>
        {
            if (!model.Remove(timer, out var due) || timer.IsActive)
                fired.Add(-1);
            fired.Add(due);
        });
        return wheel.Current == now && fired.SequenceEqual(expected);
    }

    private static LoopTimer NewTimer() => new(null!, static _ => { }, null);
}

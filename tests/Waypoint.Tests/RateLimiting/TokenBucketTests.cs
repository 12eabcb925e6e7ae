using FsCheck.Xunit;
using Mesh.Testing;
using Mesh.Waypoint.RateLimiting;

namespace Mesh.Waypoint.Tests.RateLimiting;

public sealed class TokenBucketTests
{
    private readonly ManualTimeProvider _time = new();

    /// <summary>Against a level that rises with time up to its brim and of which every request takes one token's worth.</summary>
    [Property(MaxTest = 300)]
    public void Take_AnyHistory_IsABucketThatFillsContinuously(byte requests, byte burst, byte[] steps)
    {
        var rate = new BucketRate(requests % 20 + 1, TimeSpan.FromSeconds(1), burst % 30 + 1, _time);
        var bucket = new TokenBucket(rate);
        var level = rate.Capacity;
        var now = 1_000_000L;
        var last = now;
        foreach (var step in steps)
        {
            now += step * rate.Emission / 40;
            level = Math.Min(rate.Capacity, level + (now - last));
            last = now;
            var result = bucket.Take(now);
            Assert.Equal(level >= rate.Emission, result.Taken);
            if (result.Taken)
                level -= rate.Emission;
            Assert.Equal(level / rate.Emission, result.Remaining);
            Assert.Equal(result.Taken ? 0 : rate.Emission - level, result.Wait);
            Assert.Equal(rate.Capacity - level, result.UntilFull);
        }
    }

    [Fact]
    public void Take_FromManyThreads_GivesExactlyTheBurst()
    {
        var bucket = new TokenBucket(new BucketRate(1, TimeSpan.FromHours(1), 1000, _time));
        var taken = 0;
        Parallel.For(0, 5000, _ =>
        {
            if (bucket.Take(7).Taken)
                Interlocked.Increment(ref taken);
        });
        Assert.Equal(1000, taken);
    }

    [Theory]
    [InlineData(0, 1, 1)]
    [InlineData(1, 0, 1)]
    [InlineData(1, 1, 0)]
    [InlineData(1, 3600, 1_000_000)]
    public void Rate_WithoutMeaning_IsRefused(long requests, int seconds, long burst) =>
        Assert.Throws<ConfigurationException>(() => new BucketRate(requests, TimeSpan.FromSeconds(seconds), burst, _time));

    [Fact]
    public void Table_ManyKeys_StaysBoundedAndForgetsTheLeastUsedFirst()
    {
        var table = new BucketTable(new BucketRate(1, TimeSpan.FromHours(1), 1, _time), maximum: 100);
        for (var i = 0; i < 1000; i++)
        {
            table.Take($"key-{i}", i);

            // One key is asked about all the time: it stays, and stays used up.
            Assert.Equal(i == 0, table.Take("mine", i).Taken);
        }

        Assert.InRange(table.Count, 80, 100);
        Assert.True(table.Take("key-0", 1000).Taken);
    }

    [Fact]
    public void Take_ExistingKey_AllocatesNothing()
    {
        var table = new BucketTable(new BucketRate(1000, TimeSpan.FromSeconds(1), 1000, _time), maximum: 100);
        table.Take("a", 1);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            table.Take("a", i);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}

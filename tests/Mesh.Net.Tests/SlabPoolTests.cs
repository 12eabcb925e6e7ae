using Mesh.Net.Loop;

namespace Mesh.Net.Tests;

public sealed class SlabPoolTests
{
    [Theory]
    [InlineData(0, 1024)]
    [InlineData(1024, 1024)]
    [InlineData(1025, 4096)]
    [InlineData(16384, 16384)]
    [InlineData(16385, 65536)]
    [InlineData(262144, 262144)]
    [InlineData(1048576, 1048576)]
    [InlineData(1048577, 1048577)]
    public async Task Rent_OfASize_GivesItsClass(int wanted, int got)
    {
        using var test = new TestLoop();
        await test.Do(() =>
        {
            var array = test.Loop.Buffers.Rent(wanted);
            Assert.Equal(got, array.Length);
            Assert.Equal(got, test.Loop.Metrics.RentedBytes);
            test.Loop.Buffers.Return(array);
            Assert.Equal(0, test.Loop.Metrics.RentedBytes);
        });
    }

    [Fact]
    public async Task Rent_AfterReturn_GivesTheSameArrayAgain()
    {
        using var test = new TestLoop();
        await test.Do(() =>
        {
            var array = test.Loop.Buffers.Rent(5000);
            test.Loop.Buffers.Return(array);
            Assert.Same(array, test.Loop.Buffers.Rent(16000));
            test.Loop.Buffers.Return(array);
        });
    }

    [Fact]
    public async Task Trim_OfWhatLayUnused_GivesItBackAfterOneInterval()
    {
        using var test = new TestLoop();
        await test.Do(() =>
        {
            var pool = (SlabPool)test.Loop.Buffers;
            var arrays = Enumerable.Range(0, 10).Select(_ => pool.Rent(65536)).ToList();
            arrays.ForEach(a => pool.Return(a));
            Assert.Equal(10 * 65536, pool.RetainedBytes);

            // The interval in which they were in use ends; in the next one two of them are used.
            Assert.True(pool.Trim());
            var first = pool.Rent(65536);
            var second = pool.Rent(65536);
            pool.Return(first);
            pool.Return(second);
            Assert.True(pool.Trim());
            Assert.Equal(2 * 65536, pool.RetainedBytes);
            Assert.False(pool.Trim());
            Assert.Equal(0, pool.RetainedBytes);
        });
    }

    [Fact]
    public async Task Return_FromAnotherThread_KeepsTheCountAndTheClassesIntact()
    {
        using var test = new TestLoop();
        var array = await test.Get(() => test.Loop.Buffers.Rent(4096));
        test.Loop.Buffers.Return(array);
        Assert.Equal(0, test.Loop.Metrics.RentedBytes);
        Assert.Equal(0, test.Loop.Metrics.RetainedBytes);
    }

    [Fact]
    public async Task Class_WithManyReturned_KeepsABoundedNumber()
    {
        using var test = new TestLoop();
        await test.Do(() =>
        {
            var arrays = Enumerable.Range(0, 20).Select(_ => test.Loop.Buffers.Rent(1 << 20)).ToList();
            arrays.ForEach(a => test.Loop.Buffers.Return(a));
            Assert.Equal(2 << 20, test.Loop.Metrics.RetainedBytes);
            Assert.Equal(0, test.Loop.Metrics.RentedBytes);
        });
    }
}

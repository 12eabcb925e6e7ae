using Mesh.Testing;

namespace Mesh.Runtime.Tests;

public sealed class IdleCollectionTests : IDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(2);
    private readonly ManualTimeProvider _time = new();
    private readonly IdleCollection _collection;
    private long _allocated;
    private int _collections;

    public IdleCollectionTests() => _collection = new IdleCollection(_time, () => _allocated, () => _collections++);

    public void Dispose() => _collection.Dispose();

    [Fact]
    public void Burst_IsCollectedOnceItIsOver_AndOnlyOnce()
    {
        Pass(allocated: 50_000_000);
        Assert.Equal(0, _collections);
        Pass(allocated: 1000);
        Assert.Equal(1, _collections);
        for (var i = 0; i < 20; i++)
            Pass(allocated: 1000);
        Assert.Equal(1, _collections);
    }

    [Fact]
    public void Work_ThatGoesOn_IsNeverInterrupted()
    {
        for (var i = 0; i < 50; i++)
            Pass(allocated: 1_000_000);
        Assert.Equal(0, _collections);
    }

    [Fact]
    public void Trickle_IsCollectedWhenItHasBecomeWorthIt()
    {
        for (var i = 0; i < 40; i++)
            Pass(allocated: 200_000);
        Assert.Equal(1, _collections);
    }

    private void Pass(long allocated)
    {
        _allocated += allocated;
        _time.Advance(s_interval);
    }
}

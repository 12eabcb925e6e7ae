using Mesh.Ztunnel.Forwarding;

namespace Mesh.Ztunnel.Tests.Forwarding;

/// <summary>Who may still wait when the node is full.</summary>
public sealed class ByteBudgetTests
{
    [Fact]
    public void Pod_MayUseAllOfAnEmptyNode_ButOnlyItsShareOfAFullOne()
    {
        var node = new ByteBudget(1000);
        var greedy = node.Join();
        var modest = node.Join();
        Assert.True(greedy.TryTake(900));
        Assert.False(greedy.TryTake(200));
        Assert.True(modest.TryTake(400));
        Assert.False(greedy.TryTake(1));
        Assert.True(modest.TryTake(100));
        Assert.False(modest.TryTake(1));
        greedy.Give(900);
        Assert.Equal(500, node.Used);
        Assert.True(greedy.TryTake(500));
    }

    [Fact]
    public void PodThatLeft_LeavesItsShareToTheOthers()
    {
        var node = new ByteBudget(1000);
        var staying = node.Join();
        var leaving = node.Join();
        Assert.True(staying.TryTake(600));
        Assert.True(leaving.TryTake(400));
        Assert.False(staying.TryTake(100));
        leaving.Leave();
        Assert.True(staying.TryTake(100));
    }

    [Fact]
    public void NoLimit_IsNoLimit() => Assert.True(new ByteBudget(0).Join().TryTake(int.MaxValue));
}

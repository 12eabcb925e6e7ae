using System.Net.Sockets;

namespace Mesh.Ztunnel.Tests.Stories;

/// <summary>Counting bytes of the heap is only possible when no other test runs.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class AloneCollection;

/// <summary>What a connection costs while nobody talks on it.</summary>
[Collection("alone")]
public sealed class MemoryTests
{
    /// <summary>Managed bytes of one captured connection on both sides of the tunnel together: the contract is 1 KiB a side.</summary>
    private const int Budget = 2 * 1024;

    private const int Connections = 20;
    private const int Rounds = 25;
    private const int WarmUp = 120;

    [Fact]
    public async Task IdleConnections_StayWithinTheirBudget_AndOwnNoBuffer()
    {
        await using var rig = await StoryRig.StartAsync();
        var sockets = new List<Socket>();
        try
        {
            // What the two programs at the ends cost, which are in this process, too.
            var direct = await CostAsync(() => OpenDirectAsync(rig), sockets);
            var proxied = await CostAsync(() => OpenAsync(rig), sockets);
            var ours = proxied - direct;
            Assert.True(ours < Budget, $"{ours} bytes per connection ({proxied} with the programs, {direct} of these are theirs), the budget is {Budget}");
            await rig.Loop.InvokeAsync(() => true);
            Assert.Equal(0, rig.Loop.Metrics.RentedBytes);
        }
        finally
        {
            sockets.ForEach(s => s.Dispose());
        }
    }

    /// <summary>The median of small rounds: those in which a table doubles or a tunnel is made are few.</summary>
    private static async Task<long> CostAsync(Func<Task<Socket>> open, List<Socket> sockets)
    {
        // The first ones make what all share: tunnels, series, compiled code.
        for (var i = 0; i < WarmUp; i++)
            sockets.Add(await open());
        var costs = new List<long>();
        for (var round = 0; round < Rounds; round++)
        {
            var before = Measure();
            for (var i = 0; i < Connections; i++)
                sockets.Add(await open());
            costs.Add((Measure() - before) / Connections);
        }
        costs.Sort();
        return costs[Rounds / 2];
    }

    private static async Task<Socket> OpenDirectAsync(StoryRig rig)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(rig.Application);
        Assert.Equal("x", await StoryRig.ExchangeAsync(socket, "x").WaitAsync(TimeSpan.FromSeconds(30)));
        return socket;
    }

    private static async Task<Socket> OpenAsync(StoryRig rig)
    {
        var socket = await rig.ConnectAsync();
        Assert.Equal("x", await StoryRig.ExchangeAsync(socket, "x").WaitAsync(TimeSpan.FromSeconds(30)));
        return socket;
    }

    private static long Measure()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }
}

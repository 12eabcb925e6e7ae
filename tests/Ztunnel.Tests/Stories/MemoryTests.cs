using System.Net.Sockets;

namespace Mesh.Ztunnel.Tests.Stories;

/// <summary>What a connection costs while nobody talks on it.</summary>
public sealed class MemoryTests
{
    /// <summary>Managed bytes of one captured connection on both sides of the tunnel together: outbound story, two streams, inbound story, two sockets.</summary>
    private const int Budget = 8 * 1024;

    private const int Connections = 400;

    [Fact]
    public async Task IdleConnections_StayWithinTheirBudget_AndOwnNoBuffer()
    {
        await using var rig = await StoryRig.StartAsync();
        var sockets = new List<Socket>();
        try
        {
            // The first ones make what all share: tunnels, series, compiled code.
            for (var i = 0; i < 120; i++)
                sockets.Add(await OpenAsync(rig));
            var before = Measure();
            for (var i = 0; i < Connections; i++)
                sockets.Add(await OpenAsync(rig));
            var each = (Measure() - before) / Connections;
            Assert.True(each < Budget, $"{each} bytes per connection, the budget is {Budget}");
            await rig.Loop.InvokeAsync(() => true);
            Assert.Equal(0, rig.Loop.Metrics.RentedBytes);
        }
        finally
        {
            sockets.ForEach(s => s.Dispose());
        }
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

using System.Text;
using System.Text.RegularExpressions;
using Mesh.Runtime.Metrics;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Telemetry;
using Mesh.Ztunnel.Tests.Stories;

namespace Mesh.Ztunnel.Tests.Telemetry;

/// <summary>What the process holds, on the metrics page: buffers, connections, tunnels, descriptors.</summary>
public sealed class NodeMetricsTests
{
    [Fact]
    public async Task Page_CountsBuffersConnectionsTunnelsAndDescriptors()
    {
        await using var rig = await StoryRig.StartAsync();
        var registry = new MetricRegistry();
        NodeMetrics.Register(registry, [rig.Loop], new ByteBudget(0));
        ProcessMetrics.Register(registry);
        Assert.Equal(0, Read(registry, "ztunnel_tunnel_connections"));
        var before = Read(registry, "ztunnel_loop_sockets");

        using var socket = await rig.ConnectAsync();
        Assert.Equal("x", await StoryRig.ExchangeAsync(socket, "x").WaitAsync(TimeSpan.FromSeconds(30)));
        await rig.Loop.InvokeAsync(() => true);

        // The captured socket, the application's, and the two ends of the tunnel's connection.
        Assert.Equal(before + 4, Read(registry, "ztunnel_loop_sockets"));
        Assert.Equal(2, Read(registry, "ztunnel_tunnel_connections"));
        Assert.Equal(0, Read(registry, "ztunnel_loop_rented_bytes"));
        Assert.True(Read(registry, "ztunnel_loop_retained_bytes") >= 0);
        Assert.Equal(0, Read(registry, "ztunnel_waiting_bytes"));
        Assert.True(Read(registry, "process_open_fds") > 4);
        Assert.True(Read(registry, "process_max_fds") > 100);
    }

    private static long Read(MetricRegistry registry, string name)
    {
        var page = Encoding.UTF8.GetString(registry.Render().Span);
        var line = Regex.Match(page, $@"^{name}(\{{[^}}]*\}})? (-?\d+)", RegexOptions.Multiline);
        Assert.True(line.Success, $"{name} is not on the page:\n{page}");
        return long.Parse(line.Groups[2].Value, System.Globalization.CultureInfo.InvariantCulture);
    }
}

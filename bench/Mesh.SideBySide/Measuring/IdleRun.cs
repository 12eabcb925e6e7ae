using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Mesh.SideBySide.Load;
using Mesh.SideBySide.Reporting;
using Mesh.SideBySide.Rig;

namespace Mesh.SideBySide.Measuring;

/// <summary>
/// How the memory of a pair of agents grows with connections that say nothing: opened in steps through both, measured when it has settled, and a line through
/// the steps tells what one costs. Resident memory counts native memory, too; the kernel's buffers are in neither.
/// </summary>
internal static class IdleRun
{
    private const int Steps = 4;
    private const int Goal = 100_000;

    /// <summary>Between two addresses and one port there are not more.</summary>
    private const int PortsOfAnAddress = 60_000;

    private static readonly TimeSpan s_settle = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(40);

    private sealed record Point(int Connections, double Resident, double Managed);

    public static async Task<int> RunAsync(IdleOptions options)
    {
        try
        {
            await using var setup = new Setup(new RunOptions { Root = options.Root, Ztunnel = options.Ztunnel });
            await setup.BuildAsync();
            var peer = await setup.PeerAsync("ztunnel");
            var limit = Math.Min(Math.Min(options.Connections, PortsOfAnAddress), Applications.OpenFiles() - 1000);
            var holders = new List<IdleHolder>();
            try
            {
                var points = peer.Own.ToDictionary(p => p.Side, _ => new List<Point>(), StringComparer.Ordinal);
                // What every process that serves has in memory is the first connections' doing.
                holders.Add(await IdleHolder.StartAsync(setup, peer, 64));
                await MeasureAsync(setup, peer, 0, points);
                for (var step = 1; step <= Steps; step++)
                {
                    holders.Add(await IdleHolder.StartAsync(setup, peer, limit / Steps));
                    await MeasureAsync(setup, peer, limit / Steps * step, points);
                }

                foreach (var line in await Machine.DescribeAsync(options.Root))
                    Console.WriteLine(line);
                foreach (var (side, of) in points)
                    Tell(side, of);
            }
            finally
            {
                foreach (var holder in holders)
                    await holder.DisposeAsync();
            }

            return 0;
        }
        catch (Exception e)
        {
            // Every kind: an exception that escapes Main would leave the rig standing.
            await Console.Error.WriteLineAsync($"bench: {(e is BenchException ? e.Message : e)}");
            return 70;
        }
    }

    /// <summary>Waits until memory does not fall any more: what a burst left is collected once the process is quiet.</summary>
    private static async Task MeasureAsync(Setup setup, Peer peer, int connections, Dictionary<string, List<Point>> points)
    {
        double Sum() => peer.Own.Sum(p => ProcessFacts.Resident(p.Process.Id));
        var last = double.MaxValue;
        for (var waited = TimeSpan.Zero; waited < s_patience; waited += s_settle)
        {
            await Task.Delay(s_settle);
            var now = Sum();
            if (Math.Abs(now - last) < last / 200)
                break;
            last = now;
        }

        peer.ThrowIfEnded();
        foreach (var (side, process) in peer.Own)
        {
            var managed = await MetricAsync(setup, side, "process_managed_memory_bytes");
            points[side].Add(new Point(connections, ProcessFacts.Resident(process.Id), managed));
        }
    }

    private static void Tell(string side, List<Point> points)
    {
        Console.WriteLine($"\n{side}'s agent\n| connections | resident MB | managed MB |\n|---|---|---|");
        foreach (var point in points)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {point.Connections} | {point.Resident / 1e6:0.0} | {point.Managed / 1e6:0.0} |"));
        var (resident, managed) = (Slope(points, p => p.Resident), Slope(points, p => p.Managed));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"bytes per connection: {resident:0} resident, {managed:0} managed; at {Goal} connections: {(points[0].Resident + (resident * Goal)) / 1e6:0} MB resident, {(points[0].Managed + (managed * Goal)) / 1e6:0} MB managed"));
    }

    /// <summary>Least squares.</summary>
    private static double Slope(List<Point> points, Func<Point, double> value)
    {
        var (x, y) = (points.Average(p => p.Connections), points.Average(value));
        return points.Sum(p => (p.Connections - x) * (value(p) - y)) / points.Sum(p => (p.Connections - x) * (p.Connections - x));
    }

    private static async Task<double> MetricAsync(Setup setup, string side, string name)
    {
        using var inside = setup.Network.Open(setup.Network.Of(side));
        using var socket = inside.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, 15020));
        await socket.SendAsync("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"u8.ToArray());
        using var page = new MemoryStream();
        var buffer = new byte[64 * 1024];
        while (await socket.ReceiveAsync(buffer) is var count and > 0)
            page.Write(buffer, 0, count);
        var line = Encoding.UTF8.GetString(page.ToArray()).Split('\n').FirstOrDefault(l => l.StartsWith(name + " ", StringComparison.Ordinal));
        return line is null ? double.NaN : double.Parse(line[(name.Length + 1)..], CultureInfo.InvariantCulture);
    }
}

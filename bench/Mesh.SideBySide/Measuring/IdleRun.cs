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
    private const int Goal = 100_000;

    private static readonly int[] s_counts = [1000, 5000, 10_000, 15_000, 30_000, 60_000];

    /// <summary>Between two addresses and one port there are not more.</summary>
    private const int PortsOfAnAddress = 60_000;

    private static readonly TimeSpan s_settle = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(40);

    private sealed record Point(int Connections, double Resident, double Anonymous, double Managed);

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
                var open = 0;
                foreach (var count in s_counts.Where(c => c < limit).Append(limit))
                {
                    holders.Add(await IdleHolder.StartAsync(setup, peer, count - open));
                    await MeasureAsync(setup, peer, open = count, points);
                }

                await WriteAsync(options, limit, points);
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
            // One socket each, on either side; a connection that was refused behind the holder's back would be counted as a light one.
            if (ProcessFacts.Descriptors(process.Id) < connections)
                throw new BenchException($"the {side}'s agent holds fewer than {connections} connections");
            var managed = await MetricAsync(setup, side, "process_managed_memory_bytes");
            points[side].Add(new Point(connections, ProcessFacts.Resident(process.Id), ProcessFacts.Anonymous(process.Id), managed));
        }
    }

    private static async Task WriteAsync(IdleOptions options, int limit, Dictionary<string, List<Point>> points)
    {
        var now = DateTimeOffset.UtcNow;
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $"# Memory of idle connections, {now:yyyy-MM-dd HH:mm} UTC\n\n");
        foreach (var line in await Machine.DescribeAsync(options.Root))
            page.Append("- ").Append(line).Append('\n');
        page.Append(CultureInfo.InvariantCulture, $"- {limit:#,0} connections at most: {Applications.OpenFiles():#,0} descriptors a process, {PortsOfAnAddress:#,0} ports between two addresses\n");
        foreach (var (side, of) in points)
            Tell(page, side, of);
        Console.Write(page);
        var folder = options.Results ?? Path.Combine(options.Root, "bench/results");
        Directory.CreateDirectory(folder);
        var file = Path.Combine(folder, $"{now:yyyy-MM-dd-HHmm}-idle.md");
        await File.WriteAllTextAsync(file, page.ToString());
        Console.WriteLine($"\nwritten to {Path.GetRelativePath(Environment.CurrentDirectory, file)}");
    }

    private static void Tell(StringBuilder page, string side, List<Point> points)
    {
        page.Append(CultureInfo.InvariantCulture, $"\n## The {side}'s agent\n\n| connections | resident MB | of it anonymous | managed MB |\n|---|---|---|---|\n");
        foreach (var point in points)
            page.Append(CultureInfo.InvariantCulture, $"| {point.Connections:#,0} | {point.Resident / 1e6:0.0} | {point.Anonymous / 1e6:0.0} | {point.Managed / 1e6:0.0} |\n");
        var (resident, managed) = (Slope(points, p => p.Resident), Slope(points, p => p.Managed));
        page.Append(CultureInfo.InvariantCulture,
            $"\nA connection costs {resident:0} bytes of resident memory, of which {managed:0} are managed; {Goal:#,0} connections would come to {(points[0].Resident + (resident * Goal)) / 1e6:0} MB resident.\n");
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

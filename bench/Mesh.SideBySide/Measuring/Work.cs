using System.Globalization;
using System.Text.Json;
using Mesh.SideBySide.Load;
using Mesh.SideBySide.Rig;

namespace Mesh.SideBySide.Measuring;

/// <summary>One kind of load on one peer; what it yields has the same names for every peer.</summary>
internal abstract record Work
{
    /// <summary>Unique; peers' results of the same key are compared.</summary>
    public abstract string Key { get; }

    /// <summary>Runs for about so many seconds. The capture rules are the peer's already.</summary>
    public abstract Task<Sample> RunAsync(Setup setup, Peer peer, int seconds);

    private protected static double Rate(double count, double seconds) => seconds > 0 ? count / seconds : 0;
}

/// <summary>Figures of one measurement by name.</summary>
internal sealed class Sample : Dictionary<string, double>
{
    public Sample()
        : base(StringComparer.Ordinal)
    {
    }
}

/// <summary>Closed loop: each connection asks again when it is answered.</summary>
/// <param name="Apart">A name for measurements that are made by themselves: peers that cannot run beside the others would restart them.</param>
internal sealed record HttpWork(int Connections, bool NewConnections = false, string? Apart = null) : Work
{
    public override string Key => NewConnections ? $"connect-{Connections}" : $"http-{Connections}{(Apart is null ? string.Empty : "-" + Apart)}";

    public override async Task<Sample> RunAsync(Setup setup, Peer peer, int seconds)
    {
        var script = Path.Combine(setup.Root, "bench/side-by-side/report.lua");
        List<string> command = ["wrk", "-t", $"{Math.Min(2, Connections)}", "-c", $"{Connections}", "-d", $"{seconds}s", "--timeout", "10s", "-s", script];
        if (NewConnections)
            command.AddRange(["-H", "Connection: close"]);
        command.Add(peer.File.Url.ToString());
        if (peer.File.NeedsToken)
            command.AddRange(["--", setup.Token]);
        var before = peer.Cpu();
        var output = await Tool.RunAsync(Network.In(setup.Network.Client, command), deadline: TimeSpan.FromSeconds(seconds + 30));
        var cpu = peer.Cpu() - before;
        var line = output.Split('\n').FirstOrDefault(l => l.StartsWith("RESULT ", StringComparison.Ordinal)) ?? throw new BenchException($"wrk said: {output.Trim()}");
        var f = line.Split(' ').Skip(1).Select(t => double.Parse(t, CultureInfo.InvariantCulture)).ToArray();
        if (f[6] > f[0] / 1000)
            throw new BenchException($"{peer.Name}: {f[6]} of {f[0]} requests failed; its figures would mean nothing");
        return new Sample
        {
            ["rate"] = Rate(f[0], f[1] / 1e6),
            ["p50"] = f[2],
            ["p90"] = f[3],
            ["p99"] = f[4],
            ["p99.9"] = f[5],
            ["cpu"] = cpu.TotalMicroseconds / Math.Max(1, f[0]),
        };
    }
}

/// <summary>Closed loop over HTTP/2 without TLS: 16 connections with 10 requests each under way. gRPC: a unary call with a message of 16 bytes.</summary>
internal sealed record Http2Work(bool Grpc = false) : Work
{
    private const int Connections = 16;
    private const int Streams = 10;

    public override string Key => Grpc ? "grpc-160" : "h2-160";

    public override async Task<Sample> RunAsync(Setup setup, Peer peer, int seconds)
    {
        var url = (Grpc ? peer.File.OtherUrls.Grpc : peer.File.OtherUrls.Http2) ?? throw new BenchException($"{peer.Name}: its file names no address for this load");
        List<string> command = ["h2load", "-t", "2", "-c", $"{Connections}", "-m", $"{Streams}", "-D", $"{seconds}"];
        if (Grpc)
        {
            var message = Path.Combine(setup.Folder, "message");
            await File.WriteAllBytesAsync(message, [0, 0, 0, 0, 16, .. new byte[16]]);
            command.AddRange(["-d", message, "-H", "content-type: application/grpc", "-H", "te: trailers"]);
        }

        command.Add(url.ToString());
        var before = peer.Cpu();
        var output = await Tool.RunAsync(Network.In(setup.Network.Client, command), deadline: TimeSpan.FromSeconds(seconds + 30));
        var cpu = peer.Cpu() - before;

        // "requests: 404040 total, 404080 started, 404040 done, 404040 succeeded, 0 failed, 0 errored, 0 timeout"
        var counts = output.Split('\n').FirstOrDefault(l => l.StartsWith("requests: ", StringComparison.Ordinal))?.Split(' ') ?? throw new BenchException($"h2load said: {output.Trim()}");
        var (done, succeeded) = (double.Parse(counts[5], CultureInfo.InvariantCulture), double.Parse(counts[7], CultureInfo.InvariantCulture));
        if (done - succeeded > done / 1000)
            throw new BenchException($"{peer.Name}: {done - succeeded} of {done} requests failed; its figures would mean nothing");
        return new Sample { ["rate"] = succeeded / seconds, ["cpu"] = cpu.TotalMicroseconds / Math.Max(1, succeeded) };
    }
}

/// <summary>Open loop: requests come at a fixed rate whatever the answers do.</summary>
internal sealed record FixedRateWork(int RequestsPerSecond, int Connections) : Work
{
    public override string Key => $"rate-{RequestsPerSecond}";

    public override async Task<Sample> RunAsync(Setup setup, Peer peer, int seconds)
    {
        var before = peer.Cpu();
        var output = await Tool.RunAsync(
            Network.In(setup.Network.Client, Environment.ProcessPath!, "load", "--url", peer.File.Url.ToString(), "--rate", $"{RequestsPerSecond}", "--connections", $"{Connections}", "--seconds", $"{seconds}"),
            deadline: TimeSpan.FromSeconds(seconds + 30));
        var cpu = peer.Cpu() - before;
        var result = JsonSerializer.Deserialize<LoadResult>(output) ?? throw new BenchException($"the open-loop generator said: {output}");
        return new Sample
        {
            ["rate"] = Rate(result.Requests, seconds),
            ["p50"] = result.P50,
            ["p90"] = result.P90,
            ["p99"] = result.P99,
            ["p99.9"] = result.P999,
            ["cpu"] = cpu.TotalMicroseconds / Math.Max(1, result.Requests),
        };
    }
}

/// <summary>As many bytes as go through, client to server.</summary>
internal sealed record BulkWork(int Streams, string Address = Network.ServerAddress) : Work
{
    public override string Key => $"bulk-{Streams}{Address switch { Network.ServerAddress => string.Empty, Network.NearAddress => "-near", _ => "-stranger" }}";

    public override async Task<Sample> RunAsync(Setup setup, Peer peer, int seconds)
    {
        // The first second is TCP's and the buffers' growth.
        var before = peer.Cpu();
        var output = await Tool.RunAsync(
            Network.In(setup.Network.Client, "iperf3", "-c", Address, "-p", $"{Applications.BulkPort}", "-P", $"{Streams}", "-t", $"{seconds}", "-O", "1", "-J"),
            deadline: TimeSpan.FromSeconds(seconds + 30));
        var cpu = peer.Cpu() - before;
        using var json = JsonDocument.Parse(output);
        if (json.RootElement.TryGetProperty("error", out var error))
            throw new BenchException($"iperf3 through {peer.Name} to {Address}: {error.GetString()}");
        var rate = json.RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bits_per_second").GetDouble() / 8e9;
        var all = json.RootElement.GetProperty("intervals").EnumerateArray().Sum(i => i.GetProperty("sum").GetProperty("bytes").GetDouble()) / 1e9;
        return new Sample { ["gigabytes"] = rate, ["cpu"] = all > 0 ? cpu.TotalSeconds / all : 0 };
    }
}

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Mesh.SideBySide.Load;

/// <summary>
/// Requests at a fixed rate over a fixed number of connections. Each connection has its own evenly spaced schedule; a request that is due while the one
/// before it is unanswered waits, and its latency counts from when it was due: a slow answer is charged to everybody behind it (no coordinated omission).
/// </summary>
/// <remarks>
/// Sleeping is no finer than a millisecond here. What the generator itself is late by is left out: a request on a free connection counts from when it was
/// really sent. So at most the queueing behind slow answers is in the figures, never the timer.
/// </remarks>
internal sealed class OpenLoop(IPEndPoint target, string path, int rate, int connections, TimeSpan duration)
{
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(1);

    private readonly Histogram _histogram = new();

    public async Task<LoadResult> RunAsync()
    {
        var start = Stopwatch.GetTimestamp() + (Stopwatch.Frequency / 10);
        await Task.WhenAll(Enumerable.Range(0, connections).Select(i => Task.Run(() => RunConnectionAsync(start, i))));
        return _histogram.ToResult();
    }

    private async Task RunConnectionAsync(long start, int number)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(target);
        var request = Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        var buffer = new byte[16 * 1024];
        var interval = (double)Stopwatch.Frequency * connections / rate;
        var counted = start + (long)(s_warmUp.TotalSeconds * Stopwatch.Frequency);
        var end = counted + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        var free = start;
        for (var n = 0; ; n++)
        {
            var due = start + (long)((n + ((double)number / connections)) * interval);
            if (due >= end)
                return;
            await UntilAsync(due);
            var sent = Stopwatch.GetTimestamp();
            await socket.SendAsync(request);
            await ReceiveAnswerAsync(socket, buffer);
            var answered = Stopwatch.GetTimestamp();
            if (due >= counted)
                _histogram.Record(answered - (free > due ? due : sent));
            free = answered;
        }
    }

    private static async ValueTask UntilAsync(long due)
    {
        while (due - Stopwatch.GetTimestamp() is > 0 and var left)
            await Task.Delay(TimeSpan.FromSeconds(Math.Max(0.001, (double)left / Stopwatch.Frequency)));
    }

    private static async ValueTask ReceiveAnswerAsync(Socket socket, byte[] buffer)
    {
        var length = 0;
        var expected = int.MaxValue;
        while (length < expected)
        {
            var count = await socket.ReceiveAsync(buffer.AsMemory(length));
            if (count == 0)
                throw new BenchException("the connection ended in the middle of an answer");
            length += count;
            if (expected == int.MaxValue && buffer.AsSpan(0, length).IndexOf("\r\n\r\n"u8) is >= 0 and var head)
                expected = head + 4 + ContentLength(buffer.AsSpan(0, head));
        }
    }

    private static int ContentLength(ReadOnlySpan<byte> head)
    {
        if (!head.StartsWith("HTTP/1.1 200"u8))
            throw new BenchException($"the answer is {Encoding.ASCII.GetString(head)}");
        foreach (var line in Encoding.ASCII.GetString(head).Split("\r\n"))
        {
            if (line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))
                return int.Parse(line["Content-Length:".Length..].Trim());
        }

        throw new BenchException("the answer has no Content-Length");
    }
}

/// <summary>Logarithmic buckets of about 1 %. Any thread.</summary>
internal sealed class Histogram
{
    private const int PerDoubling = 64;

    private readonly long[] _buckets = new long[40 * PerDoubling];
    private long _highest;

    public void Record(long ticks)
    {
        var microseconds = Math.Max(1, ticks * 1e6 / Stopwatch.Frequency);
        Interlocked.Increment(ref _buckets[Math.Min(_buckets.Length - 1, (int)(Math.Log2(microseconds) * PerDoubling))]);
        for (var seen = Volatile.Read(ref _highest); ticks > seen;)
            seen = Interlocked.CompareExchange(ref _highest, ticks, seen) is var now && now == seen ? ticks : now;
    }

    public LoadResult ToResult() => new(_buckets.Sum(), Percentile(0.5), Percentile(0.9), Percentile(0.99), Percentile(0.999), _highest * 1e6 / Stopwatch.Frequency);

    private double Percentile(double share)
    {
        var wanted = share * _buckets.Sum();
        long seen = 0;
        for (var i = 0; i < _buckets.Length; i++)
        {
            seen += _buckets[i];
            if (seen >= wanted && seen > 0)
                return Math.Pow(2, (i + 0.5) / PerDoubling);
        }

        return 0;
    }
}

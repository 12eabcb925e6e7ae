using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Mesh.Kubernetes.Tests.Replay;

/// <summary>What a client sent.</summary>
internal sealed record SeenRequest(string Method, string PathAndQuery, IReadOnlyDictionary<string, string> Headers, string Body);

/// <summary>
/// Plays recorded answers byte for byte, one after the other per method and path (watches apart); the last one is repeated. Optionally cut into pieces
/// of a few bytes, each a TCP segment of its own as far as the sender can want that.
/// </summary>
internal sealed class TranscriptServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<string, ConcurrentQueue<TranscriptStep>> _steps = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private readonly int _pieces;
    private readonly Task _accepting;

    public TranscriptServer(IEnumerable<TranscriptStep> steps, int pieces = int.MaxValue)
    {
        foreach (var step in steps)
            _steps.GetOrAdd(Key(step.Method, step.PathAndQuery), _ => new()).Enqueue(step);
        _pieces = pieces;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Address => new($"http://{_listener.LocalEndpoint}");

    public ConcurrentQueue<SeenRequest> Seen { get; } = new();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stop.Dispose();
    }

    private static string Key(string method, string pathAndQuery) =>
        $"{method} {pathAndQuery.Split('?')[0]}{(pathAndQuery.Contains("watch=true", StringComparison.Ordinal) ? " watch" : "")}";

    private async Task AcceptAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
                connections.Add(ServeAsync(await _listener.AcceptSocketAsync(_stop.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        socket.NoDelay = true;
        using var stream = new NetworkStream(socket, ownsSocket: true);
        try
        {
            while (await ReadAsync(stream) is { } request)
            {
                Seen.Enqueue(request);
                var queue = _steps.GetValueOrDefault(Key(request.Method, request.PathAndQuery)) ?? throw new InvalidDataException($"nothing recorded for {request.Method} {request.PathAndQuery}");
                if (!queue.TryPeek(out var step) || (queue.Count > 1 && !queue.TryDequeue(out step)))
                    return;
                foreach (var part in step.Wire())
                {
                    foreach (var piece in part.Chunk(_pieces))
                        await stream.WriteAsync(piece, _stop.Token);
                }
                if (step.EndsOpen)
                    await Task.Delay(Timeout.Infinite, _stop.Token);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidDataException)
        {
            // The connection closes; the client says what it makes of it.
        }
    }

    private async Task<SeenRequest?> ReadAsync(NetworkStream stream)
    {
        var head = new List<byte>();
        var one = new byte[1];
        while (!head.TakeLast(4).SequenceEqual("\r\n\r\n"u8.ToArray()))
        {
            if (await stream.ReadAsync(one, _stop.Token) == 0)
                return null;
            head.Add(one[0]);
        }
        var lines = Encoding.ASCII.GetString([.. head]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var headers = lines.Skip(1).Select(l => l.Split(": ", 2)).ToDictionary(p => p[0], p => p[1], StringComparer.OrdinalIgnoreCase);
        var body = new byte[headers.TryGetValue("Content-Length", out var length) ? int.Parse(length, System.Globalization.CultureInfo.InvariantCulture) : 0];
        await stream.ReadExactlyAsync(body, _stop.Token);
        var start = lines[0].Split(' ');
        return new SeenRequest(start[0], start[1], headers, Encoding.UTF8.GetString(body));
    }
}

using System.Net;
using System.Net.Sockets;
using Mesh.Testing.Http2;

namespace Mesh.Waypoint.Tests.Harness;

/// <summary>An HTTP/2 application written down frame by frame: each accepted connection runs the script, and ends after the waypoint has ended it.</summary>
internal sealed class RawHttp2Origin : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Func<RawHttp2Socket, int, Task> _script;
    private readonly uint? _maxConcurrentStreams;
    private readonly bool _sendsSettings;
    private int _connections;

    /// <param name="script">With the number of the connection, from 1.</param>
    /// <param name="sendsSettings">False: the script does.</param>
    public RawHttp2Origin(Func<RawHttp2Socket, int, Task> script, uint? maxConcurrentStreams = null, bool sendsSettings = true)
    {
        _sendsSettings = sendsSettings;
        _script = script;
        _maxConcurrentStreams = maxConcurrentStreams;
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Reads until the next request's head is there.</summary>
    public static async Task<WireFrame> RequestAsync(RawHttp2Socket server)
    {
        while (await server.ReadAsync() is { } frame)
        {
            if (frame.Headers is not null)
                return frame;
        }

        throw new IOException("the waypoint closed");
    }

    /// <summary>Reads until a frame of this type is there.</summary>
    public static async Task<WireFrame> FrameAsync(RawHttp2Socket server, string type)
    {
        while (await server.ReadAsync() is { } frame)
        {
            if (frame.Type == type)
                return frame;
        }

        throw new IOException($"the waypoint closed without {type}");
    }

    public static async Task AnswerAsync(RawHttp2Socket server, uint stream, string text)
    {
        await server.SendHeadersAsync(stream, false, (":status", "200"));
        await server.SendDataAsync(stream, text, endStream: true);
    }

    public void Dispose() => _listener.Stop();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptSocketAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            using var server = await RawHttp2Socket.AcceptAsync(socket, _maxConcurrentStreams, _sendsSettings);
            await _script(server, Interlocked.Increment(ref _connections));

            // Closing with something unread would be a reset, which may overtake what was sent.
            while (await server.ReadAsync() is not null)
            {
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The waypoint closed.
        }
    }
}

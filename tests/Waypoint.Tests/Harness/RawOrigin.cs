using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Mesh.Waypoint.Tests.Harness;

/// <summary>An application written down byte by byte: each accepted connection runs the script.</summary>
internal sealed class RawOrigin : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Func<RawPeer, Task> _script;
    private int _connections;
    private int _requests;

    public RawOrigin(Func<RawPeer, Task> script)
    {
        _script = script;
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Heads of requests that were read whole.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Reads a request's head and sends this, for every request on every connection.</summary>
    public static RawOrigin Answering(string response) => new(async peer =>
    {
        while (await peer.ReadHeadAsync() is { Length: > 0 })
            await peer.SendAsync(response);
    });

    public void Dispose() => _listener.Stop();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync();
                Interlocked.Increment(ref _connections);
                _ = ServeAsync(socket);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using var peer = new RawPeer(socket, () => Interlocked.Increment(ref _requests));
        try
        {
            await _script(peer);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The waypoint closed.
        }
    }
}

/// <summary>One connection of a <see cref="RawOrigin"/>.</summary>
internal sealed class RawPeer(Socket socket, Action? headRead = null) : IDisposable
{
    private readonly byte[] _buffer = new byte[256 * 1024];
    private string _received = string.Empty;

    /// <summary>Up to the empty line; empty at the end of the connection.</summary>
    public async Task<string> ReadHeadAsync()
    {
        var head = await ReadUntilAsync("\r\n\r\n");
        if (head.Length > 0)
            headRead?.Invoke();
        return head;
    }

    public async Task<string> ReadUntilAsync(string end)
    {
        int at;
        while ((at = _received.IndexOf(end, StringComparison.Ordinal)) < 0)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            var count = await socket.ReceiveAsync(_buffer, patience.Token);
            if (count == 0)
                return string.Empty;
            _received += Encoding.Latin1.GetString(_buffer, 0, count);
        }

        var result = _received[..(at + end.Length)];
        _received = _received[(at + end.Length)..];
        return result;
    }

    public async Task SendAsync(string text) => await socket.SendAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>A FIN; still reads.</summary>
    public void EndSending() => socket.Shutdown(SocketShutdown.Send);

    /// <summary>RST instead of FIN.</summary>
    public void Reset() => socket.LingerState = new LingerOption(enable: true, 0);

    public void Dispose() => socket.Dispose();
}

using System.Net;
using System.Net.Sockets;
using Mesh.Testing.Http2;

namespace Mesh.Http2.Tests.Interop;

/// <summary>An engine over a real socket, on the test's own thread: flush, receive, until the test has what it waits for.</summary>
internal sealed class SocketPump : IDisposable
{
    // Longer than any of these exchanges takes on a busy machine; only a hang gets here.
    private const int PatienceMilliseconds = 60_000;

    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[64 * 1024];

    private SocketPump(Socket socket, Http2Role role, RecordingHttp2Handler handler)
    {
        _socket = socket;
        _socket.NoDelay = true;
        _socket.ReceiveTimeout = _socket.SendTimeout = PatienceMilliseconds;
        Handler = handler;
        Connection = new Http2Connection(role, role == Http2Role.Client ? Http2Options.ForClient : Http2Options.ForServer, handler);
        Connection.Start();
    }

    public Http2Connection Connection { get; }

    public RecordingHttp2Handler Handler { get; }

    public static SocketPump Connect(int port, RecordingHttp2Handler? handler = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(IPAddress.Loopback, port);
        return new SocketPump(socket, Http2Role.Client, handler ?? new RecordingHttp2Handler());
    }

    public static Socket Listen(out int port)
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = PatienceMilliseconds };
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        return listener;
    }

    public static SocketPump Accept(Socket listener, RecordingHttp2Handler handler)
    {
        Assert.True(listener.Poll(PatienceMilliseconds * 1000, SelectMode.SelectRead), "no program connected");
        return new SocketPump(listener.Accept(), Http2Role.Server, handler);
    }

    public void RunUntil(Func<bool> done, string what)
    {
        Flush();
        while (!done())
        {
            Assert.True(TryReceive(), $"the peer closed before {what}; events: {string.Join(", ", Handler.Events.TakeLast(20))}");
            Assert.True(Handler.Error is null, $"{Handler.Error}");
        }
    }

    public void RunUntilPeerCloses()
    {
        Flush();
        while (TryReceive())
        {
        }
    }

    public void Dispose()
    {
        Connection.Dispose();
        _socket.Dispose();
    }

    private bool TryReceive()
    {
        int count;
        try
        {
            count = _socket.Receive(_buffer);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return false;
        }

        Connection.Receive(_buffer.AsSpan(0, count));
        if (count > 0)
            Flush();
        return count > 0;
    }

    private void Flush()
    {
        var output = Connection.Output;
        while (output.Length > 0)
            output.Advance(_socket.Send(output.Pending.Span));
    }
}

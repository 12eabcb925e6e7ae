using System.IO.Pipelines;
using Mesh.Net.Loop;

namespace Mesh.Net;

/// <summary>
/// A socket as a duplex pipe: bytes go between the kernel and its reader and writer without a copy in between. A connection that waits for its peer
/// has no buffer.
/// </summary>
public sealed class SocketPipe : LoopPipe, ISocketHandler, ISocketOwner, ILoopPipeSource, ILoopPipeSink
{
    private readonly LoopSocket _socket;
    private readonly LoopPipeReader _input;
    private readonly LoopPipeWriter _output;
    private readonly TaskCompletionSource _peerEnded = new();
    private Exception? _reason;

    /// <summary>Owns <paramref name="socket"/> from now on; on its loop.</summary>
    public SocketPipe(LoopSocket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        _socket = socket;
        _input = new LoopPipeReader(socket.Loop, this);
        _output = new LoopPipeWriter(socket.Loop, this);
        socket.Handler = this;
        if (socket.HasHungUp)
            _peerEnded.TrySetResult();
    }

    /// <inheritdoc/>
    public override EventLoop Loop => _socket.Loop;

    /// <inheritdoc/>
    public override PipeReader Input => _input;

    /// <inheritdoc/>
    public override PipeWriter Output => _output;

    /// <inheritdoc/>
    public override Task PeerEnded => _peerEnded.Task;

    bool ILoopPipeSource.MayReceive => _socket.MayReceive;

    Exception ILoopPipeSource.Failure => _reason ?? new IOException(_socket.IsClosed ? "the connection was closed on this side" : $"connection with {_socket.RemoteEndPoint}: {_socket.LastErrorText}");

    /// <inheritdoc/>
    public override void Abort(Exception? reason = null)
    {
        if (Loop.InLoop)
            Cut(reason);
        else
            Loop.Post(() => Cut(reason));
    }

    /// <inheritdoc/>
    public override void Close()
    {
        _output.Drop();
        _input.Complete();
        if (Loop.InLoop)
            _socket.Dispose();
        else
            Loop.Post(_socket.Dispose);
    }

    /// <summary>The user is done: what was written still arrives, then the end; what the peer sends until it ends too is dropped. Any thread.</summary>
    public void CloseInOrder()
    {
        _output.Complete();
        _input.Complete();
        if (Loop.InLoop)
            Linger();
        else
            Loop.Post(Linger);
    }

    /// <inheritdoc/>
    public override string ToString() => $"pipe over {_socket}";

    IoStatus ILoopPipeSource.Receive(Span<byte> room, out int count) => _socket.TryReceive(room, out count);

    int ILoopPipeSink.Send(ReadOnlySpan<byte> data) => _socket.TrySend(data, out var count) switch
    {
        IoStatus.Done or IoStatus.WouldBlock => count,
        _ => -1,
    };

    void ILoopPipeSink.EndSending() => _socket.ShutdownSend();

    void ILoopPipeSink.FailSending(Exception reason) => Cut(reason);

    void ISocketHandler.OnReadable()
    {
        // First: a reader that meets the end may ask why.
        if (_socket.HasHungUp)
            _peerEnded.TrySetResult();
        _input.Pump();
    }

    void ISocketHandler.OnWritable() => _output.OnWritable();

    void ISocketOwner.OnSocketClosed()
    {
        _peerEnded.TrySetResult();
        _output.Break();
        _input.Pump();
    }

    private void Cut(Exception? reason)
    {
        _reason ??= reason;
        _socket.Abort();
    }

    private void Linger()
    {
        if (_socket.IsClosed)
            return;
        var rest = new SocketOutput(_socket);
        _output.MoveRestTo(rest);
        LingeringClose.Begin(_socket, rest, null);
    }
}

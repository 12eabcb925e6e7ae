namespace Mesh.Net.Loop;

/// <summary>Orderly end of a socket that its owner has let go of: send the rest, FIN, read and drop until the peer ends too, close.</summary>
/// <remarks>Closing with unread bytes in the kernel would send RST, and the peer could lose what we sent last (the reason for the end, for instance).</remarks>
internal sealed class LingeringClose : ISocketHandler, ISocketOwner, IResumable
{
    /// <summary>For peers that neither read nor close. Short: the owner has reported the connection as ended.</summary>
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(5);

    private readonly LoopSocket _socket;
    private readonly SocketOutput _output;
    private readonly LoopTimer _timer;
    private Action? _done;
    private bool _ended;

    private LingeringClose(LoopSocket socket, SocketOutput output, Action? done)
    {
        _socket = socket;
        _output = output;
        _done = done;
        _timer = socket.Loop.Schedule(s_deadline, static c => ((LingeringClose)c!).Finish(abort: true), this);
    }

    bool IResumable.IsResumeQueued { get; set; }

    /// <summary>Takes the socket over. <paramref name="done"/> is called once, never inside this call.</summary>
    internal static void Begin(LoopSocket socket, SocketOutput output, Action? done)
    {
        var close = new LingeringClose(socket, output, done);
        socket.Handler = close;
        socket.Loop.RunNextIteration(close);
    }

    void IResumable.Resume() => Advance();

    void ISocketHandler.OnReadable() => Advance();

    void ISocketHandler.OnWritable() => Advance();

    void ISocketOwner.OnSocketClosed() => Finish(abort: false);

    private void Advance()
    {
        if (_socket.IsClosed)
            return;
        _output.Flush();
        if (_output.Pending == 0 && !_ended)
        {
            _ended = true;
            _socket.ShutdownSend();
        }

        var scratch = _socket.Loop.Scratch.Span;
        for (var left = _socket.Loop.Options.BytesPerIteration; left > 0;)
        {
            switch (_socket.TryReceive(scratch, out var count))
            {
                case IoStatus.Done:
                    left -= count;
                    continue;
                case IoStatus.WouldBlock:
                    return;
                case IoStatus.EndOfStream when !_ended:
                    // The peer only closed its direction: it may still want the rest.
                    return;
                default:
                    Finish(abort: false);
                    return;
            }
        }

        _socket.Loop.RunNextIteration(this);
    }

    private void Finish(bool abort)
    {
        _timer.Cancel();
        _output.Release();
        var done = _done;
        _done = null;
        _socket.Handler = null;
        if (abort)
            _socket.Abort();
        else
            _socket.Dispose();
        done?.Invoke();
    }
}

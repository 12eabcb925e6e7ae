using Mesh.Net.Loop;

namespace Mesh.Net;

/// <summary>A bare socket with the shape of a transport: for tests, and where the bytes are already protected.</summary>
public sealed class PlainTransport : ITransport, ISocketHandler, ISocketOwner, IResumable
{
    private readonly SocketOutput _output;
    private ITransportHandler? _handler;
    private bool _started;
    private bool _paused;
    private bool _ended;

    /// <summary>Owns <paramref name="socket"/> from now on.</summary>
    public PlainTransport(LoopSocket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        Socket = socket;
        _output = new SocketOutput(socket);
    }

    /// <summary>The socket beneath.</summary>
    public LoopSocket Socket { get; }

    /// <inheritdoc/>
    public EventLoop Loop => Socket.Loop;

    /// <inheritdoc/>
    public int PendingBytes => _output.Pending;

    /// <inheritdoc/>
    public bool IsCongested => _output.IsCongested;

    bool IResumable.IsResumeQueued { get; set; }

    /// <inheritdoc/>
    public void Start(ITransportHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        if (_started)
            throw new InvalidOperationException("A transport is started once.");
        _started = true;
        _handler = handler;
        Socket.Handler = this;
        Loop.RunNextIteration(this);
    }

    /// <inheritdoc/>
    public void PauseReceiving() => _paused = true;

    /// <inheritdoc/>
    public void ResumeReceiving()
    {
        if (!_paused)
            return;
        _paused = false;
        Loop.RunNextIteration(this);
    }

    /// <inheritdoc/>
    public void Write(ReadOnlyMemory<byte> plaintext)
    {
        if (_ended)
            return;
        _output.Send(plaintext.Span);
        if (_output.IsBroken)
            Loop.RunNextIteration(this);
    }

    /// <inheritdoc/>
    public void CloseAfterFlush()
    {
        if (_ended)
            return;
        _ended = true;
        LingeringClose.Begin(Socket, _output, () => Report(TransportEnding.ClosedHere, null));
    }

    /// <inheritdoc/>
    public void Abort()
    {
        _handler = null;
        _ended = true;
        Socket.Handler = null;
        _output.Release();
        Socket.Abort();
    }

    /// <summary>The same as <see cref="Abort"/>, unless the transport has ended already.</summary>
    public void Dispose()
    {
        if (!_ended)
            Abort();
    }

    /// <inheritdoc/>
    public override string ToString() => $"bare {Socket}";

    void IResumable.Resume() => ((ISocketHandler)this).OnReadable();

    void ISocketHandler.OnReadable()
    {
        if (_output.IsBroken)
        {
            Fail();
            return;
        }

        var scratch = Loop.ReceiveScratch.Span;
        for (var budget = Loop.Options.BytesPerIteration; !_ended && !_paused;)
        {
            if (budget <= 0)
            {
                Loop.RunNextIteration(this);
                return;
            }

            switch (Socket.TryReceive(scratch, out var count))
            {
                case IoStatus.Done:
                    budget -= count;
                    Lend(scratch[..count]);
                    break;
                case IoStatus.WouldBlock:
                    return;
                case IoStatus.EndOfStream:
                    _ended = true;
                    LingeringClose.Begin(Socket, _output, null);
                    Report(TransportEnding.ClosedByPeer, null);
                    return;
                default:
                    Fail();
                    return;
            }
        }
    }

    void ISocketHandler.OnWritable()
    {
        if (_output.Flush())
            _handler?.OnDrained();
        else if (_output.IsBroken)
            Fail();
    }

    void ISocketOwner.OnSocketClosed()
    {
        if (_ended)
            return;
        _ended = true;
        _output.Release();
        Report(TransportEnding.Failed, "the loop ended or the socket was closed elsewhere");
    }

    private void Lend(ReadOnlySpan<byte> data)
    {
        try
        {
            _handler!.OnReceived(data);
        }
        catch (Exception e)
        {
            Loop.Report(e, ToString());
            End(TransportEnding.Failed, "a fault while handling received bytes");
        }
    }

    private void Fail() => End(Socket.IsReset ? TransportEnding.Reset : TransportEnding.Failed, $"connection with {Socket.RemoteEndPoint}: {Socket.LastErrorText}");

    private void End(TransportEnding ending, string detail)
    {
        if (_ended)
            return;
        _ended = true;
        Socket.Handler = null;
        _output.Release();
        Socket.Abort();
        Report(ending, detail);
    }

    private void Report(TransportEnding ending, string? detail)
    {
        var handler = _handler;
        _handler = null;
        handler?.OnClosed(ending, detail);
    }
}

using System.Threading.Tasks.Sources;
using Mesh.Net.Loop;
using Mesh.Net.Native;

namespace Mesh.Net;

/// <summary>A non-blocking descriptor on a loop: remembers readiness so that no edge is lost, and lets one story wait per direction.</summary>
/// <remarks>
/// Readiness is a fact about the past: true means "try", false means "the kernel said no since the last edge". The waits are value task sources that
/// resume inline on the loop without allocating; one waiter per direction; what they do not support: waiting from another thread, waiting twice.
/// </remarks>
public abstract class LoopDescriptor : IDisposable, IValueTaskSource<bool>
{
    private ReadyWaiter? _reader;
    private ReadyWaiter? _writer;
    private int _descriptor;

    private protected LoopDescriptor(EventLoop loop, int descriptor)
    {
        Loop = loop;
        _descriptor = descriptor;
        loop.Register(this);
    }

    /// <summary>The loop this belongs to, for life.</summary>
    public EventLoop Loop { get; }

    /// <summary>The file descriptor, or -1 after <see cref="Dispose()"/>.</summary>
    public int Descriptor => _descriptor;

    /// <summary>Closed by this side.</summary>
    public bool IsClosed => _descriptor < 0;

    internal int Slot { get; set; } = -1;

    private protected bool Readable { get; set; } = true;

    private protected bool Writable { get; set; } = true;

    /// <summary>The peer has ended or the socket is broken: reading must go on to the end whatever a short read suggests.</summary>
    private protected bool HangUp { get; private set; }

    /// <summary>Waits until an attempt to receive is worthwhile. False: closed meanwhile.</summary>
    public ValueTask<bool> WaitReadableAsync()
    {
        if (IsClosed || Readable)
            return new ValueTask<bool>(!IsClosed);
        return new ValueTask<bool>(this, (_reader ??= new ReadyWaiter()).Begin(direction: 0));
    }

    /// <summary>Waits until an attempt to send is worthwhile. False: closed meanwhile.</summary>
    public ValueTask<bool> WaitWritableAsync()
    {
        if (IsClosed || Writable)
            return new ValueTask<bool>(!IsClosed);
        return new ValueTask<bool>(this, (_writer ??= new ReadyWaiter()).Begin(direction: 1));
    }

    /// <summary>Closes the descriptor; who waits is told false.</summary>
    public void Dispose()
    {
        if (IsClosed)
            return;
        Loop.EnsureInLoop();
        OnClosing();
        Loop.Unregister(this);
        _ = Libc.close(_descriptor);
        _descriptor = -1;
        Readable = Writable = false;
        _reader?.Complete(false);
        _writer?.Complete(false);
        OnClosed();
        GC.SuppressFinalize(this);
    }

    /// <summary>Leaves the loop without closing: the descriptor belongs to the caller, this object is as good as disposed.</summary>
    private protected int Detach()
    {
        Loop.EnsureInLoop();
        var descriptor = _descriptor;
        Loop.Forget(this);
        _descriptor = -1;
        Readable = Writable = false;
        GC.SuppressFinalize(this);
        return descriptor;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{GetType().Name} {_descriptor}";

    internal void OnEvents(uint events)
    {
        if ((events & (Libc.EPOLLRDHUP | Libc.EPOLLHUP | Libc.EPOLLERR)) != 0)
            HangUp = true;
        if ((events & (Libc.EPOLLIN | Libc.EPOLLRDHUP | Libc.EPOLLHUP | Libc.EPOLLERR)) != 0)
        {
            Readable = true;
            Verified = true;
            if (_reader is null || !_reader.Complete(true))
                OnReadable();
        }

        // Every edge repeats the state of the other direction; only a change from "no" is news. An error is news to a waiting writer too.
        if ((events & (Libc.EPOLLOUT | Libc.EPOLLHUP | Libc.EPOLLERR)) != 0 && !Writable && !IsClosed)
        {
            Writable = true;
            if (_writer is null || !_writer.Complete(true))
                OnWritable();
        }
    }

    /// <summary>The last edge said that there is something and nothing was received since: no need to look again.</summary>
    private protected bool Verified { get; set; }

    private protected virtual void OnReadable()
    {
    }

    private protected virtual void OnWritable()
    {
    }

    private protected virtual void OnClosing()
    {
    }

    private protected virtual void OnClosed()
    {
    }

    /// <summary>Nobody waits to write, and most sockets never do again.</summary>
    internal void ForgetWriteWait() => _writer = null;

    /// <summary>Ends the wait for writability from a deadline.</summary>
    internal void EndWriteWait() => _writer?.Complete(false);

    bool IValueTaskSource<bool>.GetResult(short token) => (token & 1) == 0 ? _reader!.End(token) : _writer!.End(token);

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => (token & 1) == 0 ? _reader!.Status(token) : _writer!.Status(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        if ((token & 1) == 0)
            _reader!.OnCompleted(continuation, state, token);
        else
            _writer!.OnCompleted(continuation, state, token);
    }
}

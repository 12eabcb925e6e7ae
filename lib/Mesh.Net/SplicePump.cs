using Mesh.Net.Loop;

namespace Mesh.Net;

/// <summary>How a pump ended.</summary>
public enum SpliceEnding
{
    /// <summary>Both directions ended in order.</summary>
    Done,

    /// <summary>One side broke the connection (RST); the other one was told the same way.</summary>
    Reset,

    /// <summary>One direction had ended and nothing moved in the other until the deadline.</summary>
    HalfCloseDeadline,

    /// <summary>Another error; the detail says which.</summary>
    Failed,

    /// <summary>Ended by <see cref="SplicePump.Abort"/> or by the loop.</summary>
    Aborted,
}

/// <summary>Outcome of a pump.</summary>
/// <param name="Ending">How it ended.</param>
/// <param name="FirstFailed">The first socket is the one that failed; null when none did.</param>
/// <param name="FirstToSecond">Bytes that the second socket's kernel took.</param>
/// <param name="SecondToFirst">Bytes that the first socket's kernel took.</param>
/// <param name="Detail">For people; null when there is nothing to add.</param>
public readonly record struct SpliceResult(SpliceEnding Ending, bool? FirstFailed, long FirstToSecond, long SecondToFirst, string? Detail);

/// <summary>Carries bytes between two plain sockets through kernel pipes; user memory is never touched. Half-close is kept.</summary>
/// <remarks>
/// Each direction: source socket -> pipe -> destination socket, until the source ends; then FIN to the destination. A pipe is held only while bytes are in
/// it. Bounded per turn. Owns both sockets and closes them before it reports. Loop thread only.
/// </remarks>
public sealed class SplicePump : IResumable, IDisposable
{
    private readonly LoopSocket _first;
    private readonly LoopSocket _second;
    private readonly Action<SpliceResult> _onEnded;
    private readonly TimeSpan? _halfCloseTimeout;
    private readonly SpliceDirection _forward;
    private readonly SpliceDirection _backward;
    private LoopTimer? _halfClose;
    private long _movedAtCheck;
    private bool _ended;

    private SplicePump(LoopSocket first, LoopSocket second, Action<SpliceResult> onEnded, TimeSpan? halfCloseTimeout)
    {
        _first = first;
        _second = second;
        _onEnded = onEnded;
        _halfCloseTimeout = halfCloseTimeout;
        _forward = new SpliceDirection(first, second);
        _backward = new SpliceDirection(second, first);
        first.Handler = second.Handler = new Sides(this);
    }

    /// <summary>Bytes from the first to the second socket so far.</summary>
    public long FirstToSecond => _forward.Moved;

    /// <summary>Bytes from the second to the first socket so far.</summary>
    public long SecondToFirst => _backward.Moved;

    bool IResumable.IsResumeQueued { get; set; }

    /// <summary>Starts pumping. <paramref name="onEnded"/> is called once, never inside this call.</summary>
    /// <param name="halfCloseTimeout">How long a half-closed pair may be silent; null: for ever.</param>
    public static SplicePump Start(LoopSocket first, LoopSocket second, Action<SpliceResult> onEnded, TimeSpan? halfCloseTimeout = null)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        ArgumentNullException.ThrowIfNull(onEnded);
        if (!ReferenceEquals(first.Loop, second.Loop))
            throw new InvalidOperationException("Both sockets of a pump live on one loop.");
        var pump = new SplicePump(first, second, onEnded, halfCloseTimeout);
        first.Loop.RunNextIteration(pump);
        return pump;
    }

    /// <summary>The same as <see cref="Start"/>, awaited.</summary>
    public static Task<SpliceResult> RunAsync(LoopSocket first, LoopSocket second, TimeSpan? halfCloseTimeout = null)
    {
        var done = new TaskCompletionSource<SpliceResult>();
        Start(first, second, done.SetResult, halfCloseTimeout);
        return done.Task;
    }

    /// <summary>Breaks both connections (RST) and reports.</summary>
    public void Abort() => End(SpliceEnding.Aborted, null, null);

    /// <summary>Ends both connections in order (FIN) although bytes may still be on their way, and reports <see cref="SpliceEnding.Aborted"/>.</summary>
    public void Close() => End(SpliceEnding.Aborted, null, null, orderly: true);

    /// <summary>The same as <see cref="Abort"/>.</summary>
    public void Dispose() => Abort();

    void IResumable.Resume() => Advance();

    private void Advance()
    {
        if (_ended)
            return;
        var budget = _first.Loop.Options.BytesPerIteration;
        var forward = _forward.Run(budget);
        var backward = _backward.Run(budget);
        if (forward == SpliceOutcome.SourceFailed || backward == SpliceOutcome.DestinationFailed)
            Fail(_first, isFirst: true);
        else if (forward == SpliceOutcome.DestinationFailed || backward == SpliceOutcome.SourceFailed)
            Fail(_second, isFirst: false);
        else if (forward == SpliceOutcome.NoPipe || backward == SpliceOutcome.NoPipe)
            End(SpliceEnding.Failed, null, "no file descriptor is left for a pipe");
        else if (_forward.IsFinished && _backward.IsFinished)
            End(SpliceEnding.Done, null, null);
        else if (forward == SpliceOutcome.BudgetUsed || backward == SpliceOutcome.BudgetUsed)
            _first.Loop.RunNextIteration(this);
        if (!_ended && (_forward.IsFinished || _backward.IsFinished))
            WatchHalfClose();
    }

    private void WatchHalfClose()
    {
        if (_halfCloseTimeout is not { } timeout || _halfClose is not null)
            return;
        _movedAtCheck = FirstToSecond + SecondToFirst;
        _halfClose = _first.Loop.CreateTimer(static p => ((SplicePump)p!).CheckHalfClose(), this);
        _halfClose.Start(timeout);
    }

    /// <summary>One timer per period instead of one restart per read: a silent pair ends after one to two periods.</summary>
    private void CheckHalfClose()
    {
        var moved = FirstToSecond + SecondToFirst;
        if (moved == _movedAtCheck)
        {
            End(SpliceEnding.HalfCloseDeadline, null, null);
            return;
        }

        _movedAtCheck = moved;
        _halfClose!.Start(_halfCloseTimeout!.Value);
    }

    private void Fail(LoopSocket socket, bool isFirst) =>
        End(socket.IsReset ? SpliceEnding.Reset : SpliceEnding.Failed, isFirst, $"connection with {socket.RemoteEndPoint}: {socket.LastErrorText}");

    private void End(SpliceEnding ending, bool? firstFailed, string? detail, bool orderly = false)
    {
        if (_ended)
            return;
        _ended = true;
        _halfClose?.Cancel();
        _forward.Release();
        _backward.Release();
        foreach (var socket in (ReadOnlySpan<LoopSocket>)[_first, _second])
        {
            socket.Handler = null;
            if (ending == SpliceEnding.Done || orderly)
                socket.Dispose();
            else
                socket.Abort();
        }

        _onEnded(new SpliceResult(ending, firstFailed, FirstToSecond, SecondToFirst, detail));
    }

    /// <summary>Both sockets report to the pump; which one does not matter.</summary>
    private sealed class Sides(SplicePump pump) : ISocketHandler, ISocketOwner
    {
        public void OnReadable() => pump.Advance();

        public void OnWritable() => pump.Advance();

        public void OnSocketClosed() => pump.Abort();
    }
}

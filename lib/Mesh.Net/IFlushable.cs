namespace Mesh.Net;

/// <summary>Something that collected output during an iteration and writes it once at the end: see <see cref="EventLoop.FlushAtEndOfIteration"/>.</summary>
public interface IFlushable
{
    /// <summary>Owned by the loop: already in the queue of this iteration.</summary>
    bool IsQueued { get; set; }

    /// <summary>Called once per iteration in which it was queued.</summary>
    void Flush();
}

/// <summary>Something that stopped although it could go on, so that others have their turn: see <see cref="EventLoop.RunNextIteration"/>.</summary>
public interface IResumable
{
    /// <summary>Owned by the loop: already in the queue of the next iteration.</summary>
    bool IsResumeQueued { get; set; }

    /// <summary>Called once, in the next iteration.</summary>
    void Resume();
}

/// <summary>Owner of a <see cref="LoopSocket"/> that is driven by readiness.</summary>
public interface ISocketHandler
{
    /// <summary>
    /// Bytes, the end of the stream or an error are there. Must receive until <see cref="IoStatus.WouldBlock"/>, or ask for another turn with <see cref="EventLoop.RunNextIteration"/>.
    /// </summary>
    void OnReadable();

    /// <summary>The socket takes bytes again after <see cref="LoopSocket.TrySend"/> returned <see cref="IoStatus.WouldBlock"/> or was short.</summary>
    void OnWritable();
}

/// <summary>Outcome of one attempt to move bytes.</summary>
public enum IoStatus
{
    /// <summary>At least one byte moved (or nothing was asked for).</summary>
    Done,

    /// <summary>Nothing can move now; readiness will be reported.</summary>
    WouldBlock,

    /// <summary>The peer has ended its direction in order (FIN).</summary>
    EndOfStream,

    /// <summary>The socket is broken; <see cref="LoopSocket.LastError"/> says how.</summary>
    Failed,
}

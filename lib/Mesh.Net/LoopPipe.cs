using System.IO.Pipelines;

namespace Mesh.Net;

/// <summary>
/// A byte stream of a loop as a duplex pipe, for Kestrel and for anything else that may call from other threads. On the loop nothing is posted and
/// waits resume inline.
/// </summary>
public abstract class LoopPipe : IDuplexPipe
{
    /// <summary>The loop it lives on.</summary>
    public abstract EventLoop Loop { get; }

    /// <inheritdoc/>
    public abstract PipeReader Input { get; }

    /// <inheritdoc/>
    public abstract PipeWriter Output { get; }

    /// <summary>Completes when the peer has ended its direction or the stream is broken, even while nobody reads; on the loop.</summary>
    public abstract Task PeerEnded { get; }

    /// <summary>Cuts the stream; who waits gets <paramref name="reason"/>. Any thread.</summary>
    public abstract void Abort(Exception? reason = null);

    /// <summary>The user is done: what was written and not flushed never leaves. Any thread.</summary>
    public abstract void Close();
}

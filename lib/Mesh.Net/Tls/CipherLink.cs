namespace Mesh.Net.Tls;

/// <summary>Who owns a <see cref="CipherLink"/>; called on the loop, never inside a call on the link.</summary>
internal interface ICipherOwner
{
    /// <summary>Ciphertext, its end or an error is there.</summary>
    void OnCipherReadable();

    /// <summary>All output is gone after it was congested.</summary>
    void OnCipherDrained();

    /// <summary>What lies below was closed by somebody else.</summary>
    void OnCipherClosed();
}

/// <summary>A <see cref="CipherStream"/> with an output that can be sent, measured and ended.</summary>
internal abstract class CipherLink : CipherStream
{
    internal abstract EventLoop Loop { get; }

    internal abstract LoopSocket? Socket { get; }

    internal abstract int PendingBytes { get; }

    internal abstract bool IsCongested { get; }

    /// <summary>The output is broken; <see cref="Failure"/> says how.</summary>
    internal abstract bool IsBroken { get; }

    internal abstract (TransportEnding Ending, string Detail) Failure { get; }

    /// <summary>The next write is one record: send it from where it lies. Otherwise collect until <see cref="Send"/>.</summary>
    internal bool SendAtOnce { get; set; }

    internal abstract void Start(ICipherOwner owner);

    internal abstract void Reserve(int count);

    internal abstract void Send();

    /// <summary>Hands what lies below over to its orderly end.</summary>
    internal abstract void CloseAfterFlush(Action? done);

    internal abstract void Abort();

    /// <summary>Lets a waiting read of SslStream end as if the peer had ended: cheaper than an exception, and it gives its buffer back.</summary>
    internal void ReleaseRead()
    {
        if (IsReadWaiting)
            EndRead();
    }
}

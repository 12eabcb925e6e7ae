using Mesh.Net.Loop;

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

/// <summary>Where the ciphertext of one connection comes from and goes to. Loop thread only; nothing blocks, output always takes everything.</summary>
internal abstract class CipherLink
{
    internal abstract EventLoop Loop { get; }

    internal abstract LoopSocket? Socket { get; }

    internal abstract int PendingBytes { get; }

    internal abstract bool IsCongested { get; }

    /// <summary>The output is broken; <see cref="Failure"/> says how.</summary>
    internal abstract bool IsBroken { get; }

    internal abstract (TransportEnding Ending, string Detail) Failure { get; }

    /// <summary>The peer's ciphertext has ended: without close_notify before it, bytes may be missing.</summary>
    internal bool EndSeen { get; private set; }

    /// <summary>Reading failed; <see cref="Failure"/> says how.</summary>
    internal bool ReadFailed { get; private set; }

    /// <summary>What is appended is sent from where it lies. Otherwise it is collected until <see cref="Send"/>.</summary>
    internal bool SendAtOnce { get; set; } = true;

    internal abstract void Start(ICipherOwner owner);

    /// <summary>Reads what is there. End and failure are remembered.</summary>
    internal IoStatus Read(Span<byte> buffer, out int count)
    {
        var status = TryRead(buffer, out count);
        EndSeen |= status == IoStatus.EndOfStream;
        ReadFailed |= status == IoStatus.Failed;
        return status;
    }

    internal abstract void Append(ReadOnlySpan<byte> ciphertext);

    internal abstract void Reserve(int count);

    internal abstract void Send();

    /// <summary>Hands what lies below over to its orderly end.</summary>
    internal abstract void CloseAfterFlush(Action? done);

    internal abstract void Abort();

    private protected abstract IoStatus TryRead(Span<byte> buffer, out int count);
}

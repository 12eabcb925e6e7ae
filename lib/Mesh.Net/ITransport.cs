namespace Mesh.Net;

/// <summary>A byte stream in both directions, pushed to a handler: TLS over a socket, a bare socket, or a stream inside a tunnel. Its loop's thread only.</summary>
public interface ITransport : IDisposable
{
    /// <summary>The loop it lives on.</summary>
    EventLoop Loop { get; }

    /// <summary>Written bytes that the layer below has not taken yet.</summary>
    int PendingBytes { get; }

    /// <summary>More than 256 KiB pending: stop producing until <see cref="ITransportHandler.OnDrained"/>.</summary>
    bool IsCongested { get; }

    /// <summary>From now on everything received goes to <paramref name="handler"/>. Once.</summary>
    void Start(ITransportHandler handler);

    /// <summary>
    /// Nothing is received (and the peer is slowed down by TCP) until <see cref="ResumeReceiving"/>. Bytes of the current callback may still follow.
    /// </summary>
    void PauseReceiving();

    /// <summary>Undoes <see cref="PauseReceiving"/>. Bytes come in a later callback, never inside this call.</summary>
    void ResumeReceiving();

    /// <summary>
    /// Takes all bytes (copied or encrypted at once; the caller's memory is free afterwards) and sends what goes. A failure is reported by a later
    /// <see cref="ITransportHandler.OnClosed"/>.
    /// </summary>
    void Write(ReadOnlyMemory<byte> plaintext);

    /// <summary>
    /// Sends what is pending, ends in order (close_notify, FIN), waits briefly for the peer's end, then reports <see cref="TransportEnding.ClosedHere"/>.
    /// </summary>
    void CloseAfterFlush();

    /// <summary>Ends at once (RST). Nothing is called afterwards.</summary>
    void Abort();
}

/// <summary>Owner of a transport; called on the loop's thread.</summary>
public interface ITransportHandler
{
    /// <summary>Received bytes: lent, valid only during the call.</summary>
    void OnReceived(ReadOnlySpan<byte> data);

    /// <summary>All pending bytes are gone after the transport was congested.</summary>
    void OnDrained();

    /// <summary>Last call, once; the transport has closed itself. Not called after <see cref="ITransport.Abort"/> or Dispose by the owner.</summary>
    void OnClosed(TransportEnding ending, string? detail);
}

/// <summary>How a transport ended.</summary>
public enum TransportEnding
{
    /// <summary>The peer ended in order.</summary>
    ClosedByPeer,

    /// <summary>We ended it with <see cref="ITransport.CloseAfterFlush"/>.</summary>
    ClosedHere,

    /// <summary>The peer's stream stopped without close_notify: bytes may be missing.</summary>
    Truncated,

    /// <summary>The peer broke the connection (RST).</summary>
    Reset,

    /// <summary>The peer broke the rules of TLS, or its records failed their check.</summary>
    TlsFailure,

    /// <summary>Another error of the network or of this machine; the detail says which.</summary>
    Failed,
}

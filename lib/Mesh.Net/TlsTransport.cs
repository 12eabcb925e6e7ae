using System.Security.Cryptography.X509Certificates;
using Mesh.Net.Tls;

namespace Mesh.Net;

/// <summary>TLS over a socket of the loop (or over another transport): the one narrow type behind which OpenSSL sits.</summary>
/// <remarks>
/// (1) handshake with a deadline, (2) <see cref="Start"/>: decrypted bytes are pushed to the handler, (3) <see cref="Write"/>, (4) an end: by the peer,
/// by <see cref="CloseAfterFlush"/> or by <see cref="Abort"/>. Owns what it was made over. Loop thread only; in the steady state nothing is allocated.
/// </remarks>
public sealed partial class TlsTransport : ITransport, ICipherOwner, IResumable
{
    private enum Stage : byte
    {
        New,
        Handshaking,
        Ready,
        Started,
        Closing,
        Closed,
    }

    private readonly CipherLink _link;
    private TlsSession? _session; // from the handshake to the end
    private ITransportHandler? _handler;
    private X509Certificate2? _peerCertificate;
    private string? _alpn;
    private string? _writeFailure;
    private Stage _stage;
    private bool _paused;

    /// <summary>TLS over a connected socket.</summary>
    public TlsTransport(LoopSocket socket)
        : this(new SocketLink(socket))
    {
    }

    /// <summary>TLS inside another transport that has not been started.</summary>
    public TlsTransport(ITransport below)
        : this(new TransportLink(below))
    {
    }

    private TlsTransport(CipherLink link) => _link = link;

    /// <inheritdoc/>
    public EventLoop Loop => _link.Loop;

    /// <summary>The socket beneath; throws when the transport runs inside another one.</summary>
    public LoopSocket Socket => _link.Socket ?? throw new InvalidOperationException("This TLS runs inside another transport; there is no socket of its own.");

    /// <summary>The certificate the peer proved to own, after the handshake.</summary>
    public X509Certificate2? PeerCertificate => _peerCertificate;

    /// <summary>The negotiated application protocol, after the handshake.</summary>
    public string? Alpn => _alpn;

    /// <inheritdoc/>
    public int PendingBytes => _link.PendingBytes;

    /// <inheritdoc/>
    public bool IsCongested => _link.IsCongested;

    bool IResumable.IsResumeQueued { get; set; }

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
    public void CloseAfterFlush()
    {
        if (_stage is Stage.Closing or Stage.Closed)
            return;
        if (_stage is Stage.Ready or Stage.Started)
            SendCloseNotify();
        _stage = Stage.Closing;
        Release();
        _link.CloseAfterFlush(() =>
        {
            _stage = Stage.Closed;
            Report(TransportEnding.ClosedHere, null);
        });
    }

    /// <inheritdoc/>
    public void Abort()
    {
        if (_stage == Stage.Closed)
            return;
        _handler = null;
        _stage = Stage.Closed;
        _link.Abort();
        Release();
    }

    /// <summary>The same as <see cref="Abort"/>, unless the transport has ended already.</summary>
    public void Dispose() => Abort();

    /// <inheritdoc/>
    public override string ToString() => $"TLS over {(_link.Socket is { } socket ? socket : "a transport")}";

    /// <summary>A broken session cannot say goodbye; the FIN that follows has to do.</summary>
    private void SendCloseNotify()
    {
        if (_writeFailure is null)
            _session?.SayGoodbye();
    }

    /// <summary>Frees OpenSSL's objects now, not in a finalizer.</summary>
    private void Release()
    {
        _session?.Dispose();
        _session = null;
        EndHandshake(new TlsHandshakeResult(TlsFailure.Other, "the transport was closed during the handshake"));
    }

    /// <summary>The end of a connection that was started: the owner is told once, the rest of the output still goes out where that makes sense.</summary>
    private void Finish(TransportEnding ending, string? detail)
    {
        if (_stage is Stage.Closing or Stage.Closed)
            return;
        if (ending == TransportEnding.ClosedByPeer)
        {
            SendCloseNotify();
            _stage = Stage.Closed;
            Release();
            _link.CloseAfterFlush(null);
        }
        else
        {
            _stage = Stage.Closed;
            _link.Abort();
            Release();
        }

        Report(ending, detail);
    }

    private void Report(TransportEnding ending, string? detail)
    {
        var handler = _handler;
        _handler = null;
        handler?.OnClosed(ending, detail);
    }

    void ICipherOwner.OnCipherClosed()
    {
        if (_stage is Stage.Closing or Stage.Closed)
            return;
        var handshaking = _stage == Stage.Handshaking;
        if (!handshaking)
            _stage = Stage.Closed;
        Release();
        if (!handshaking)
            Report(TransportEnding.Failed, "the loop ended or the socket was closed elsewhere");
    }
}

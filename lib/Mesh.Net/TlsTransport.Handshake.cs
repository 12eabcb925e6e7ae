using System.Net.Security;
using System.Security.Authentication;
using Mesh.Net.Tls;

namespace Mesh.Net;

public sealed partial class TlsTransport
{
    /// <summary>Speaks first. On failure the transport has closed itself (after sending what there was to say) and the result says why.</summary>
    public ValueTask<TlsHandshakeResult> HandshakeAsClientAsync(SslClientAuthenticationOptions o, TimeSpan deadline)
    {
        ArgumentNullException.ThrowIfNull(o);
        return HandshakeAsync(ssl => ssl.AuthenticateAsClientAsync(o), deadline);
    }

    /// <summary>Answers. On failure the transport has closed itself (after sending what there was to say) and the result says why.</summary>
    public ValueTask<TlsHandshakeResult> HandshakeAsServerAsync(SslServerAuthenticationOptions o, TimeSpan deadline)
    {
        ArgumentNullException.ThrowIfNull(o);
        return HandshakeAsync(ssl => ssl.AuthenticateAsServerAsync(o), deadline);
    }

    private async ValueTask<TlsHandshakeResult> HandshakeAsync(Func<SslStream, Task> authenticate, TimeSpan deadline)
    {
        Loop.EnsureInLoop();
        if (_stage != Stage.New)
            throw new InvalidOperationException("A transport has one handshake.");
        _stage = Stage.Handshaking;
        _link.Start(this);
        var timer = Loop.Schedule(deadline, static t => ((TlsTransport)t!).OnHandshakeDeadline(), this);
        TlsHandshakeResult result;
        try
        {
            await Begin(authenticate);
            result = TlsHandshakeResult.Ok;
        }
        catch (Exception e)
        {
            result = _timedOut
                ? new TlsHandshakeResult(TlsFailure.Timeout, $"the TLS handshake was not finished within {deadline.TotalSeconds:0.###} s")
                : TlsErrors.Describe(e, peerEnded: _link.EndSeen || _link.Socket is { IsReset: true });
        }

        timer.Cancel();
        _link.Send();
        if (result.IsOk && _stage == Stage.Handshaking)
        {
            _stage = Stage.Ready;
            var protocol = _ssl.NegotiatedApplicationProtocol;
            _alpn = protocol == SslApplicationProtocol.Http2 ? "h2" : protocol.Protocol.IsEmpty ? null : protocol.ToString();
            return result;
        }

        if (_stage == Stage.Handshaking)
            EndFailedHandshake();
        return result.IsOk ? new TlsHandshakeResult(TlsFailure.Other, "the transport was closed during the handshake") : result;
    }

    private Task Begin(Func<SslStream, Task> authenticate)
    {
        Task task;
        using (NoContext.Enter())
            task = authenticate(_ssl);
        _link.Send();
        return task;
    }

    /// <summary>An alert may be on its way to the peer: an orderly end lets it arrive.</summary>
    private void EndFailedHandshake()
    {
        _stage = Stage.Closed;
        ReleaseSsl();
        if (_timedOut || _link.IsBroken)
            _link.Abort();
        else
            _link.CloseAfterFlush(null);
    }

    private void OnHandshakeDeadline()
    {
        if (_stage != Stage.Handshaking)
            return;
        _timedOut = true;
        using var scope = NoContext.Enter();
        _link.FailRead(new IOException("deadline"));
    }
}

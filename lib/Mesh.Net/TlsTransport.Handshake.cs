using System.Net.Security;
using Mesh.Net.Tls;

namespace Mesh.Net;

public sealed partial class TlsTransport
{
    private TaskCompletionSource<TlsHandshakeResult>? _handshake;
    private PeerCheck? _check;

    /// <summary>
    /// Speaks first. On failure the transport has closed itself (after sending what there was to say) and the result says why.
    /// <paramref name="refusal"/> is asked what a refused peer is told.
    /// </summary>
    /// <remarks>Of the options counts: versions, suites, application protocols, certificate, chain policy, validation callback, name. Sessions are never resumed.</remarks>
    public ValueTask<TlsHandshakeResult> HandshakeAsClientAsync(SslClientAuthenticationOptions o, TimeSpan deadline, Func<TlsRefusal>? refusal = null)
    {
        ArgumentNullException.ThrowIfNull(o);
        var check = new PeerCheck(this, o.RemoteCertificateValidationCallback, o.CertificateChainPolicy, o.TargetHost, refusal);
        return HandshakeAsync(TlsRules.Of(o), check, o.TargetHost, deadline);
    }

    /// <summary>Answers. On failure the transport has closed itself (after sending what there was to say) and the result says why.</summary>
    public ValueTask<TlsHandshakeResult> HandshakeAsServerAsync(SslServerAuthenticationOptions o, TimeSpan deadline, Func<TlsRefusal>? refusal = null)
    {
        ArgumentNullException.ThrowIfNull(o);
        var check = new PeerCheck(this, o.RemoteCertificateValidationCallback, o.CertificateChainPolicy, null, refusal);
        return HandshakeAsync(TlsRules.Of(o), check, null, deadline);
    }

    private async ValueTask<TlsHandshakeResult> HandshakeAsync(TlsRules rules, PeerCheck check, string? serverName, TimeSpan deadline)
    {
        Loop.EnsureInLoop();
        if (_stage != Stage.New)
            throw new InvalidOperationException("A transport has one handshake.");
        _stage = Stage.Handshaking;
        try
        {
            _session = new TlsSession(TlsContexts.Get(rules), _link, check, rules.IsServer, serverName);
        }
        catch (TlsSetupException e)
        {
            EndFailedHandshake(abort: true);
            return new TlsHandshakeResult(TlsFailure.Other, e.Message);
        }

        _check = check;
        var timer = Loop.Schedule(deadline, static t => ((TlsTransport)t!).EndHandshake(new TlsHandshakeResult(TlsFailure.Timeout, null)), this);
        _handshake = new TaskCompletionSource<TlsHandshakeResult>(TaskCreationOptions.RunContinuationsAsynchronously); // goes on by a post, never inside OpenSSL
        var ended = _handshake.Task;
        _link.Start(this);
        AdvanceHandshake();
        var result = await ended;
        timer.Cancel();
        _handshake = null;
        _peerCertificate = check.Certificate;
        _check = null;
        if (result.Failure == TlsFailure.Timeout)
            result = new TlsHandshakeResult(TlsFailure.Timeout, $"the TLS handshake was not finished within {deadline.TotalSeconds:0.###} s");
        if (result.IsOk && _stage == Stage.Handshaking && _session is { } session)
        {
            _stage = Stage.Ready;
            _alpn = session.Alpn;
            return result;
        }

        if (_stage == Stage.Handshaking)
            EndFailedHandshake(abort: result.Failure == TlsFailure.Timeout);
        return result.IsOk ? new TlsHandshakeResult(TlsFailure.Other, "the transport was closed during the handshake") : result;
    }

    private void AdvanceHandshake()
    {
        if (_session is not { } session || _handshake is null)
            return;
        _link.SendAtOnce = false; // a flight is one send
        var status = session.Handshake();
        if (status != TlsStatus.WantRead)
            EndHandshake(status == TlsStatus.Done ? TlsHandshakeResult.Ok : Failed());
        _link.Send();
        _link.SendAtOnce = true;
    }

    private TlsHandshakeResult Failed()
    {
        var found = TlsErrors.Describe(_link.EndSeen || _link.Socket is { IsReset: true });
        if (found.Failure == TlsFailure.NoCertificate)
            _check?.RunWithout();
        return _check?.Refused ?? found;
    }

    private void EndHandshake(TlsHandshakeResult result) => _handshake?.TrySetResult(result);

    /// <summary>An alert may be on its way to the peer: an orderly end lets it arrive.</summary>
    private void EndFailedHandshake(bool abort)
    {
        _stage = Stage.Closed;
        Release();
        if (abort || _link.IsBroken)
            _link.Abort();
        else
            _link.CloseAfterFlush(null);
    }
}

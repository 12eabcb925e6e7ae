using System.Security.Authentication;

namespace Mesh.Net.Tls;

/// <summary>What SslStream's exceptions mean. It wraps OpenSSL's error, whose code travels as HResult and in the text.</summary>
internal static class TlsErrors
{
    // OpenSSL 3: the low 23 bits are the reason; alerts that the peer sent are 1000 + their number (SSL_AD_REASON_OFFSET).
    private const int ReasonMask = 0x7F_FFFF;
    private const int AlertOffset = 1000;
    private const int LibraryShift = 23;
    private const int SslLibrary = 20;

    // Reasons of sslerr.h.
    private const int UnsupportedProtocol = 258;
    private const int WrongVersionNumber = 267;
    private const int NoSharedCipher = 193;
    private const int PeerDidNotReturnCertificate = 199;
    private const int NoSuitableSignature = 118;
    private const int NoSuitableKeyShare = 101;
    private const int NoSuitableGroups = 295;
    private const int NoApplicationProtocol = 235;
    private const int CertificateVerifyFailed = 134;
    private const int UnsupportedVersion = 166;

    internal static TlsHandshakeResult Describe(Exception e, bool peerEnded)
    {
        var text = Text(e);
        if (AlertOf(e) is { } alert)
            return new TlsHandshakeResult(TlsFailure.PeerAlert, AlertText(alert));
        foreach (var reason in Reasons(e))
        {
            if (FromReason(reason) is { } failure)
                return new TlsHandshakeResult(failure, text);
        }

        if (e is AuthenticationException && text.Contains("TLS alert", StringComparison.OrdinalIgnoreCase))
            return new TlsHandshakeResult(TlsFailure.PeerAlert, text);
        if (e is AuthenticationException && e.InnerException is null && text.Contains("certificate", StringComparison.OrdinalIgnoreCase))
            return new TlsHandshakeResult(CertificateFailure(text), text);
        return new TlsHandshakeResult(peerEnded ? TlsFailure.PeerClosed : TlsFailure.Other, peerEnded ? $"the peer ended the connection during the handshake: {text}" : text);
    }

    /// <summary>What went wrong on an established connection; with TLS 1.3 the peer's judgement of our certificate comes this late.</summary>
    internal static string Text(Exception e)
    {
        if (AlertOf(e) is { } alert)
            return AlertText(alert);
        var text = e.Message;
        for (var inner = e.InnerException; inner is not null; inner = inner.InnerException)
            text += ": " + inner.Message;
        return text;
    }

    private static string AlertText(int alert) => $"the peer refused with TLS alert {alert} ({AlertName(alert)})";

    private static int? AlertOf(Exception e)
    {
        foreach (var reason in Reasons(e))
        {
            if (reason is > AlertOffset and < AlertOffset + 256)
                return reason - AlertOffset;
        }

        return null;
    }

    private static IEnumerable<int> Reasons(Exception e)
    {
        for (var inner = e; inner is not null; inner = inner.InnerException)
        {
            if ((uint)inner.HResult >> LibraryShift == SslLibrary)
                yield return inner.HResult & ReasonMask;
        }
    }

    private static TlsFailure? FromReason(int reason) => reason switch
    {
        UnsupportedProtocol or WrongVersionNumber or NoSharedCipher or NoSuitableSignature or NoSuitableKeyShare or NoSuitableGroups
            or NoApplicationProtocol or UnsupportedVersion => TlsFailure.ProtocolVersion,
        PeerDidNotReturnCertificate => TlsFailure.NoCertificate,
        CertificateVerifyFailed => TlsFailure.UnknownAuthority,
        _ => null,
    };

    /// <summary>
    /// SslStream refused the certificate itself, or the options' callback did. Only the text tells them apart; it is English in every culture here.
    /// </summary>
    private static TlsFailure CertificateFailure(string text)
    {
        if (text.Contains("RemoteCertificateNotAvailable", StringComparison.Ordinal))
            return TlsFailure.NoCertificate;
        string[] chainErrors = ["UntrustedRoot", "PartialChain", "NotSignatureValid"];
        return chainErrors.Any(c => text.Contains(c, StringComparison.Ordinal)) ? TlsFailure.UnknownAuthority : TlsFailure.BadCertificate;
    }

    /// <summary>RFC 8446, 6 (alerts).</summary>
    private static string AlertName(int alert) => alert switch
    {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        22 => "record_overflow",
        40 => "handshake_failure",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => "unknown",
    };
}

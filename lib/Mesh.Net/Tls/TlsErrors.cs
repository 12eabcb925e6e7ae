using System.Runtime.InteropServices;
using Mesh.Net.Native;

namespace Mesh.Net.Tls;

/// <summary>What OpenSSL's error queue means. Codes are packed: library in the upper bits, reason in the lower 23.</summary>
internal static unsafe class TlsErrors
{
    // OpenSSL 3: alerts that the peer sent are reasons 1000 + their number (SSL_AD_REASON_OFFSET).
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
    private const int UnsupportedVersion = 166;

    /// <summary>The errors of the thread's last call, and what they come to in words. The queue is empty afterwards.</summary>
    internal static (List<int> Reasons, string Text) TakeQueue()
    {
        var reasons = new List<int>(1);
        var text = string.Empty;
        const int Longest = 256;
        var line = stackalloc byte[Longest];
        while (LibCrypto.ERR_get_error() is > 0 and var code)
        {
            LibCrypto.ERR_error_string_n(code, line, Longest);
            text += (text.Length > 0 ? "; " : string.Empty) + Marshal.PtrToStringUTF8((nint)line);
            if ((code >> LibraryShift & 0xFF) == SslLibrary)
                reasons.Add((int)code & ReasonMask);
        }

        return (reasons, text.Length > 0 ? text : "OpenSSL says nothing");
    }

    /// <summary>A handshake that failed in OpenSSL. The reason may come with the end of the connection: what the peer said counts first.</summary>
    internal static TlsHandshakeResult Describe(bool peerEnded)
    {
        var (reasons, text) = TakeQueue();
        if (AlertOf(reasons) is { } alert)
            return new TlsHandshakeResult(TlsFailure.PeerAlert, AlertText(alert));
        foreach (var reason in reasons)
        {
            if (FromReason(reason) is { } failure)
                return new TlsHandshakeResult(failure, text);
        }

        return new TlsHandshakeResult(peerEnded ? TlsFailure.PeerClosed : TlsFailure.Other, peerEnded ? $"the peer ended the connection during the handshake: {text}" : text);
    }

    /// <summary>What went wrong on an established connection; with TLS 1.3 the peer's judgement of our certificate comes this late.</summary>
    internal static string TakeText()
    {
        var (reasons, text) = TakeQueue();
        return AlertOf(reasons) is { } alert ? AlertText(alert) : text;
    }

    private static string AlertText(int alert) => $"the peer refused with TLS alert {alert} ({AlertName(alert)})";

    private static int? AlertOf(List<int> reasons)
    {
        foreach (var reason in reasons)
        {
            if (reason is > AlertOffset and < AlertOffset + 256)
                return reason - AlertOffset;
        }

        return null;
    }

    private static TlsFailure? FromReason(int reason) => reason switch
    {
        UnsupportedProtocol or WrongVersionNumber or NoSharedCipher or NoSuitableSignature or NoSuitableKeyShare or NoSuitableGroups
            or NoApplicationProtocol or UnsupportedVersion => TlsFailure.ProtocolVersion,
        PeerDidNotReturnCertificate => TlsFailure.NoCertificate,
        _ => null,
    };

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

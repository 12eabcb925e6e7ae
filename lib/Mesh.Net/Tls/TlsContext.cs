using System.Net.Security;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Net.Native;

namespace Mesh.Net.Tls;

/// <summary>What all connections with one certificate and one set of rules share: OpenSSL's SSL_CTX. Any thread.</summary>
/// <remarks>Lives as long as the certificate context it was made for (<see cref="TlsContexts"/>), and as long as a connection uses it: OpenSSL counts.</remarks>
internal sealed unsafe class TlsContext : SafeHandle
{
    /// <summary>
    /// Received at once: eight full records with their headers and tags, so that bulk costs an eighth of the system calls. A size that is not a whole number of
    /// records costs an extra call for the rest of the last one.
    /// </summary>
    private const int ReadBuffer = 8 * (TlsTransport.RecordSize + 22) + 64;

    private readonly byte* _protocols; // length-prefixed, as RFC 7301 writes them; the server's callback reads it

    internal TlsContext(TlsRules rules)
        : base(0, ownsHandle: true)
    {
        SetHandle(LibSsl.SSL_CTX_new(LibSsl.TLS_method()));
        if (IsInvalid)
            throw new TlsSetupException("OpenSSL makes no context");

        // Every handshake is a full one: nothing is kept to resume from.
        _ = LibSsl.SSL_CTX_set_options(handle, LibSsl.SSL_OP_NO_TICKET | LibSsl.SSL_OP_NO_COMPRESSION | LibSsl.SSL_OP_NO_RENEGOTIATION);
        _ = LibSsl.SSL_CTX_set_num_tickets(handle, 0);
        Control(LibSsl.SSL_CTRL_SET_SESS_CACHE_MODE, 0);
        Control(LibSsl.SSL_CTRL_MODE, LibSsl.SSL_MODE_RELEASE_BUFFERS);
        Control(LibSsl.SSL_CTRL_SET_READ_AHEAD, 1);
        LibSsl.SSL_CTX_set_default_read_buffer_len(handle, ReadBuffer);
        UseVersions(rules.Protocols);
        if (rules.Suites is { } suites)
            UseSuites(suites);
        if (rules.Own is { } own)
            UseCertificate(own);
        foreach (var authority in rules.NamedAuthorities ?? [])
            WithCertificate(authority, c => LibSsl.SSL_CTX_add_client_CA(handle, c));
        LibSsl.SSL_CTX_set_verify(handle, rules.VerifyPeer ? LibSsl.SSL_VERIFY_PEER | LibSsl.SSL_VERIFY_FAIL_IF_NO_PEER_CERT : LibSsl.SSL_VERIFY_NONE, 0);
        LibSsl.SSL_CTX_set_cert_verify_callback(handle, &TlsSession.OnVerify, 0);
        _protocols = UseProtocols(rules.ApplicationProtocols, rules.IsServer);
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        LibSsl.SSL_CTX_free(handle);
        NativeMemory.Free(_protocols);
        return true;
    }

    private void Control(int command, nint number) => _ = LibSsl.SSL_CTX_ctrl(handle, command, number, 0);

    private void UseVersions(SslProtocols protocols)
    {
        // None is .NET's word for the system's choice.
        if (protocols == SslProtocols.None)
            return;
#pragma warning disable CA5398 // The caller chose.
        var (with12, with13) = (protocols.HasFlag(SslProtocols.Tls12), protocols.HasFlag(SslProtocols.Tls13));
#pragma warning restore CA5398
        if (!with12 && !with13)
            throw new NotSupportedException($"TLS versions {protocols}: only 1.2 and 1.3 are spoken");
        Control(LibSsl.SSL_CTRL_SET_MIN_PROTO_VERSION, with12 ? LibSsl.TLS1_2_VERSION : LibSsl.TLS1_3_VERSION);
        Control(LibSsl.SSL_CTRL_SET_MAX_PROTO_VERSION, with13 ? LibSsl.TLS1_3_VERSION : LibSsl.TLS1_2_VERSION);
    }

    private void UseSuites(IEnumerable<TlsCipherSuite> suites)
    {
        var names = suites.Select(s => s.ToString()).ToList();
        var modern = names.Where(n => !n.Contains("_WITH_", StringComparison.Ordinal)).ToList();

        // OpenSSL's own names of the older suites: TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 is ECDHE-ECDSA-AES256-GCM-SHA384.
        var older = names.Except(modern).Select(n => n["TLS_".Length..].Replace("_WITH_", "_", StringComparison.Ordinal).Replace("AES_", "AES", StringComparison.Ordinal).Replace('_', '-')).ToList();
        if (LibSsl.SSL_CTX_set_ciphersuites(handle, string.Join(':', modern)) != 1 || (older.Count > 0 && LibSsl.SSL_CTX_set_cipher_list(handle, string.Join(':', older)) != 1))
            throw new TlsSetupException($"OpenSSL does not know the suites {string.Join(", ", names)}");
    }

    private void UseCertificate(SslStreamCertificateContext own)
    {
        WithCertificate(own.TargetCertificate, c => LibSsl.SSL_CTX_use_certificate(handle, c));
        foreach (var intermediate in own.IntermediateCertificates)
            WithCertificate(intermediate, c => (int)LibSsl.SSL_CTX_ctrl(handle, LibSsl.SSL_CTRL_CHAIN_CERT, 1, c));
        var encoded = PrivateKey(own.TargetCertificate);
        try
        {
            fixed (byte* start = encoded)
            {
                var at = start;
                var key = LibCrypto.d2i_AutoPrivateKey(0, &at, encoded.Length);
                var used = key != 0 && LibSsl.SSL_CTX_use_PrivateKey(handle, key) == 1;
                LibCrypto.EVP_PKEY_free(key);
                if (!used)
                    throw new TlsSetupException($"OpenSSL does not take the private key of {own.TargetCertificate.Subject}");
            }
        }
        finally
        {
            CryptographicOperations.ZeroMemory(encoded);
        }
    }

    private static byte[] PrivateKey(X509Certificate2 certificate)
    {
        using AsymmetricAlgorithm? key = (AsymmetricAlgorithm?)certificate.GetECDsaPrivateKey() ?? certificate.GetRSAPrivateKey();
        return key?.ExportPkcs8PrivateKey() ?? throw new NotSupportedException($"the certificate {certificate.Subject} has no ECDSA or RSA private key");
    }

    private static void WithCertificate(X509Certificate2 certificate, Func<nint, int> use)
    {
        var encoded = certificate.RawDataMemory.Span;
        fixed (byte* start = encoded)
        {
            var at = start;
            var native = LibCrypto.d2i_X509(0, &at, encoded.Length);
            var used = native != 0 && use(native) == 1;
            LibCrypto.X509_free(native);
            if (!used)
                throw new TlsSetupException($"OpenSSL does not take the certificate {certificate.Subject}");
        }
    }

    private byte* UseProtocols(IReadOnlyList<SslApplicationProtocol>? protocols, bool isServer)
    {
        if (protocols is not { Count: > 0 })
            return null;
        var length = protocols.Sum(p => p.Protocol.Length + 1);
        var list = (byte*)NativeMemory.Alloc((nuint)length + sizeof(uint));
        *(uint*)list = (uint)length;
        var at = new Span<byte>(list + sizeof(uint), length);
        foreach (var protocol in protocols)
        {
            at[0] = (byte)protocol.Protocol.Length;
            protocol.Protocol.Span.CopyTo(at[1..]);
            at = at[(1 + protocol.Protocol.Length)..];
        }

        if (isServer)
            LibSsl.SSL_CTX_set_alpn_select_cb(handle, &SelectProtocol, (nint)list);
        else
            _ = LibSsl.SSL_CTX_set_alpn_protos(handle, list + sizeof(uint), (uint)length);
        return list;
    }

    /// <summary>RFC 7301 3.2: the server's order decides; without a common protocol the handshake ends with no_application_protocol.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int SelectProtocol(nint ssl, byte** selected, byte* selectedLength, byte* offered, uint offeredLength, nint argument)
    {
        var list = (byte*)argument;
        var ours = new ReadOnlySpan<byte>(list + sizeof(uint), (int)*(uint*)list);
        for (; ours.Length > 0; ours = ours[(1 + ours[0])..])
        {
            var wanted = ours.Slice(1, ours[0]);
            for (var at = 0; at < offeredLength && at + 1 + offered[at] <= offeredLength; at += 1 + offered[at])
            {
                if (!new ReadOnlySpan<byte>(offered + at + 1, offered[at]).SequenceEqual(wanted))
                    continue;
                *selected = offered + at + 1;
                *selectedLength = offered[at];
                return LibSsl.SSL_TLSEXT_ERR_OK;
            }
        }

        return LibSsl.SSL_TLSEXT_ERR_ALERT_FATAL;
    }
}

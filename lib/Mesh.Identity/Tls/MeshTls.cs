using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;
using Mesh.Model;

namespace Mesh.Identity.Tls;

/// <summary>What may differ from the rule TLS 1.3, own clock, no revocation list.</summary>
public sealed record MeshTlsSettings
{
    /// <summary>Accept and offer TLS 1.2 as well, for peers that cannot do better.</summary>
    public bool Tls12 { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public IRevocationCheck? Revocation { get; init; }
}

/// <summary>TLS between members of the mesh: TLS 1.3, two suites, ALPN h2, no server name, no resumption, certificates on both sides.</summary>
/// <remarks>
/// One per process, any thread. Every tunnel is a full handshake: a resumed one would skip the check of a peer that may have been
/// revoked or moved since.
/// </remarks>
public sealed class MeshTls
{
    private static readonly List<SslApplicationProtocol> OnlyH2 = [SslApplicationProtocol.Http2];
    private readonly SslProtocols _protocols;
    private readonly CipherSuitesPolicy? _suites;

    public MeshTls(MeshTlsSettings? settings = null)
    {
        settings ??= new();
        Verifier = new(settings.Time, settings.Revocation);
#pragma warning disable CA5398, CA5397 // The versions are a promise to the peers, not the system's choice.
        _protocols = settings.Tls12 ? SslProtocols.Tls13 | SslProtocols.Tls12 : SslProtocols.Tls13;
#pragma warning restore CA5398, CA5397
        _suites = OperatingSystem.IsLinux() ? new(Suites(settings.Tls12)) : null;
    }

    public PeerVerifier Verifier { get; }

    public static SpiffeId? PeerIdentity(X509Certificate2 certificate) => SubjectAlternativeNames.FirstIdentity(certificate);

    /// <summary>For one outgoing handshake. <paramref name="observed"/> learns the verdict, which the handshake's exception does not carry.</summary>
    public SslClientAuthenticationOptions ClientOptions(WorkloadCertificate own, IReadOnlyList<SpiffeId> accepted, Action<PeerVerification>? observed = null) => new()
    {
        // Empty: no server name is sent. Workloads are addressed by identity, and a name would be readable on the wire.
        TargetHost = "",
        EnabledSslProtocols = _protocols,
        CipherSuitesPolicy = _suites,
        ApplicationProtocols = OnlyH2,
        AllowTlsResume = false,
        AllowRenegotiation = false,
        ClientCertificateContext = own.Context,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = ChainRules.ForTlsStack(own.Roots),
        RemoteCertificateValidationCallback = (_, certificate, chain, _) =>
        {
            var verification = Verifier.VerifyServer(certificate as X509Certificate2, chain?.ChainPolicy.ExtraStore, own, accepted);
            observed?.Invoke(verification);
            return verification.IsTrusted;
        },
    };

    /// <summary>For incoming handshakes while <paramref name="own"/> is current; with an observer, for one.</summary>
    public SslServerAuthenticationOptions ServerOptions(WorkloadCertificate own, Action<PeerVerification>? observed = null) => new()
    {
        EnabledSslProtocols = _protocols,
        CipherSuitesPolicy = _suites,
        ApplicationProtocols = OnlyH2,
        AllowTlsResume = false,
        AllowRenegotiation = false,
        ServerCertificateContext = own.Context,
        ClientCertificateRequired = true,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = ChainRules.ForTlsStack(own.Roots),
        RemoteCertificateValidationCallback = (_, certificate, chain, _) =>
        {
            var verification = Verifier.VerifyClient(certificate as X509Certificate2, chain?.ChainPolicy.ExtraStore, own);
            observed?.Invoke(verification);
            return verification.IsTrusted;
        },
    };

    private static List<TlsCipherSuite> Suites(bool tls12)
    {
        List<TlsCipherSuite> suites = [TlsCipherSuite.TLS_AES_256_GCM_SHA384, TlsCipherSuite.TLS_AES_128_GCM_SHA256];
        if (tls12)
        {
            suites.AddRange(
            [
                TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            ]);
        }

        return suites;
    }
}

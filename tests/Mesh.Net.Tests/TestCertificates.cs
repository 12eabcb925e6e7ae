using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Mesh.Net.Tests;

/// <summary>A root and certificates under it, made in memory; enough for TLS between two test ends.</summary>
internal sealed class TestCertificates
{
    private readonly X509Certificate2 _root;

    internal TestCertificates()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=test root {Guid.NewGuid():N}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        _root = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(1));
        Peer = Issue("peer.test");
    }

    internal X509Certificate2 Root => _root;

    internal X509Certificate2 Peer { get; }

    internal X509Certificate2 Issue(string name, bool expired = false)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        var until = expired ? DateTimeOffset.UtcNow.AddMinutes(-10) : DateTimeOffset.UtcNow.AddHours(12);
        using var bare = request.Create(_root, DateTimeOffset.UtcNow.AddMinutes(-30), until, RandomNumberGenerator.GetBytes(8));
        return bare.CopyWithPrivateKey(key);
    }

    internal SslServerAuthenticationOptions Server(bool clientCertificate = true, SslProtocols protocols = SslProtocols.Tls13) => new()
    {
        ServerCertificateContext = SslStreamCertificateContext.Create(Peer, additionalCertificates: null, offline: true),
        ClientCertificateRequired = clientCertificate,
        EnabledSslProtocols = protocols,
        ApplicationProtocols = [SslApplicationProtocol.Http2],
        AllowTlsResume = false,
        AllowRenegotiation = false,
        CertificateChainPolicy = ChainPolicy(),
        RemoteCertificateValidationCallback = clientCertificate ? null : (_, _, _, _) => true,
    };

    internal SslClientAuthenticationOptions Client(bool withCertificate = true, SslProtocols protocols = SslProtocols.Tls13) => new()
    {
        TargetHost = "peer.test",
        ClientCertificateContext = withCertificate ? SslStreamCertificateContext.Create(Peer, additionalCertificates: null, offline: true) : null,
        EnabledSslProtocols = protocols,
        ApplicationProtocols = [SslApplicationProtocol.Http2],
        AllowTlsResume = false,
        AllowRenegotiation = false,
        CertificateChainPolicy = ChainPolicy(),
    };

    /// <summary>Writes key and chain for programs.</summary>
    internal (string Certificate, string Key, string Root) Save(string folder)
    {
        var paths = (Path.Combine(folder, "peer.pem"), Path.Combine(folder, "peer.key"), Path.Combine(folder, "root.pem"));
        File.WriteAllText(paths.Item1, Peer.ExportCertificatePem());
        using var key = Peer.GetECDsaPrivateKey()!;
        File.WriteAllText(paths.Item2, key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(paths.Item3, _root.ExportCertificatePem());
        return paths;
    }

    private X509ChainPolicy ChainPolicy()
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        policy.CustomTrustStore.Add(_root);
        return policy;
    }
}

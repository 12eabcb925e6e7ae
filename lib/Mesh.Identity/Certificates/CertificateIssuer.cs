using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Model;

namespace Mesh.Identity.Certificates;

/// <summary>What goes into a certificate besides names.</summary>
public sealed record IssueOptions
{
    public required DateTimeOffset NotBefore { get; init; }

    public required DateTimeOffset NotAfter { get; init; }

    /// <summary>What the certificate may be used for; null: TLS server and client.</summary>
    public IReadOnlyList<string>? ExtendedKeyUsages { get; init; }

    /// <summary>From now, set back for peers whose clocks are behind.</summary>
    public static IssueOptions For(TimeSpan ttl, TimeSpan backdate, TimeProvider time)
    {
        var now = time.GetUtcNow();
        return new() { NotBefore = now - backdate, NotAfter = now + ttl };
    }
}

/// <summary>Building blocks of a certificate authority. Key storage and the decision who may have what are the caller's.</summary>
public static class CertificateIssuer
{
    public const string ServerAuth = "1.3.6.1.5.5.7.3.1";
    public const string ClientAuth = "1.3.6.1.5.5.7.3.2";

    // RFC 5280 4.1.2.2 allows 20 octets, the highest bit clear.
    private const int SerialBytes = 16;

    /// <summary>A self-signed root, P-256, with its private key.</summary>
    public static X509Certificate2 CreateRoot(string organization, TimeSpan life, TimeSpan backdate, TimeProvider time)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(Organization(organization), key, HashAlgorithmName.SHA256);
        AddAuthorityExtensions(request);
        var now = time.GetUtcNow();
        return request.CreateSelfSigned(now - backdate, now + life);
    }

    /// <summary>An authority below <paramref name="parent"/>, with its private key.</summary>
    public static X509Certificate2 CreateIntermediate(X509Certificate2 parent, string organization, IssueOptions options)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(Organization(organization), key, HashAlgorithmName.SHA256);
        AddAuthorityExtensions(request);
        request.CertificateExtensions.Add(AuthorityKeyId(parent));
        using var signed = Sign(request, parent, options);
        return signed.CopyWithPrivateKey(key);
    }

    /// <summary>Signs the key of a request for an identity that the caller has decided on; names inside the request count for nothing.</summary>
    public static X509Certificate2 SignWorkload(X509Certificate2 issuer, ReadCsr csr, SpiffeId id, IssueOptions options) =>
        SignLeaf(issuer, csr.PublicKey, SubjectAlternativeNames.ForIdentity(id), new X500DistinguishedName(""), options);

    /// <summary>A server certificate with its private key, for the control plane's own endpoint.</summary>
    public static X509Certificate2 IssueServer(X509Certificate2 issuer, IReadOnlyList<string> dnsNames, IReadOnlyList<IPAddress> addresses, IssueOptions options)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = SubjectAlternativeNames.ForServer(dnsNames, addresses);
        using var signed = SignLeaf(issuer, new PublicKey(key), names, Organization(dnsNames.Count > 0 ? dnsNames[0] : "server"), options);
        return signed.CopyWithPrivateKey(key);
    }

    public static X509Certificate2 SignLeaf(X509Certificate2 issuer, PublicKey key, X509Extension? names, X500DistinguishedName subject, IssueOptions options)
    {
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyEncipherment, critical: true));
        var usages = new OidCollection();
        foreach (var usage in options.ExtendedKeyUsages ?? [ServerAuth, ClientAuth])
            usages.Add(new Oid(usage));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(usages, critical: false));
        // An authority that somebody else made may have no subject key identifier to refer to (RFC 5280 4.2.1.1 then allows leaving it away).
        if (issuer.Extensions.OfType<X509SubjectKeyIdentifierExtension>().Any())
            request.CertificateExtensions.Add(AuthorityKeyId(issuer));
        if (names is not null)
            request.CertificateExtensions.Add(names);
        return Sign(request, issuer, options);
    }

    private static X509Certificate2 Sign(CertificateRequest request, X509Certificate2 issuer, IssueOptions options)
    {
        var serial = RandomNumberGenerator.GetBytes(SerialBytes);
        serial[0] &= 0x7F;

        // A leaf that outlives its issuer would be refused by every chain check: it ends with it.
        var issuerEnd = new DateTimeOffset(issuer.NotAfter.ToUniversalTime());
        var notAfter = options.NotAfter < issuerEnd ? options.NotAfter : issuerEnd;
        // Our own authorities use P-256; plugged-in ones are often RSA.
        using var ecdsa = issuer.GetECDsaPrivateKey();
        using var rsa = ecdsa is null ? issuer.GetRSAPrivateKey() : null;
        var generator = ecdsa is not null ? X509SignatureGenerator.CreateForECDsa(ecdsa)
            : rsa is not null ? X509SignatureGenerator.CreateForRSA(rsa, RSASignaturePadding.Pkcs1)
            : throw new InvalidOperationException("the issuing certificate has neither an ECDSA nor an RSA private key");
        return request.Create(issuer.SubjectName, generator, options.NotBefore, notAfter, serial);
    }

    private static void AddAuthorityExtensions(CertificateRequest request)
    {
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
    }

    private static X509AuthorityKeyIdentifierExtension AuthorityKeyId(X509Certificate2 issuer) =>
        X509AuthorityKeyIdentifierExtension.CreateFromCertificate(issuer, includeKeyIdentifier: true, includeIssuerAndSerial: false);

    private static X500DistinguishedName Organization(string name)
    {
        var builder = new X500DistinguishedNameBuilder();
        builder.AddOrganizationName(name);
        return builder.Build();
    }
}

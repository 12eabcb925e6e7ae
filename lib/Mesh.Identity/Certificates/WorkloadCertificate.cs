using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Model;

namespace Mesh.Identity.Certificates;

/// <summary>What a workload proves its identity with: leaf and key, the certificates between leaf and root, and the roots it trusts peers by.</summary>
/// <remarks>Immutable. Shared by all connections of the workload; the native handles are freed when the last of them has let go.</remarks>
public sealed class WorkloadCertificate
{
    private WorkloadCertificate(SpiffeId identity, X509Certificate2 leaf, X509Certificate2Collection intermediates, X509Certificate2Collection roots)
    {
        Identity = identity;
        Leaf = leaf;
        Intermediates = intermediates;
        Roots = roots;
        NotBefore = new(leaf.NotBefore.ToUniversalTime());
        NotAfter = new(leaf.NotAfter.ToUniversalTime());
        RootsKey = HashOf(roots);
        RefreshAt = NotBefore + ((NotAfter - NotBefore) / 2);

        // Offline: nothing is fetched over the network to complete the chain. The roots are named to peers, as a list of acceptable authorities.
        Context = SslStreamCertificateContext.Create(leaf, intermediates, offline: true, SslCertificateTrust.CreateForX509Collection(roots, sendTrustInHandshake: true));
    }

    public SpiffeId Identity { get; }

    /// <summary>With its private key.</summary>
    public X509Certificate2 Leaf { get; }

    public X509Certificate2Collection Intermediates { get; }

    /// <summary>Several while the mesh changes its root. Not to be changed.</summary>
    public X509Certificate2Collection Roots { get; }

    public DateTimeOffset NotBefore { get; }

    public DateTimeOffset NotAfter { get; }

    /// <summary>Equal for equal sets of roots.</summary>
    internal UInt128 RootsKey { get; }

    /// <summary>Half of its life.</summary>
    public DateTimeOffset RefreshAt { get; }

    public SslStreamCertificateContext Context { get; }

    /// <summary>From an authority's answer: leaf first, roots (one or several in one text) last, intermediates between.</summary>
    /// <exception cref="CertificateException">The answer is not such a chain, is for another identity or for another key.</exception>
    public static WorkloadCertificate FromChain(SpiffeId requested, CertificateSigningRequest request, IReadOnlyList<string> chainPem)
    {
        if (chainPem.Count == 0)
            throw new CertificateException(CertificateFailure.BadResponse, $"the certificate authority answered for {requested} with an empty chain");
        if (chainPem.Count == 1)
            throw new CertificateException(CertificateFailure.BadResponse, $"the certificate authority answered for {requested} without a root: nobody could be trusted with it");
        try
        {
            using var publicLeaf = X509Certificate2.CreateFromPem(chainPem[0]);
            if (SubjectAlternativeNames.FirstIdentity(publicLeaf) is not { } identity || identity != requested)
            {
                throw new CertificateException(
                    CertificateFailure.WrongIdentity,
                    $"the certificate authority answered for {requested} with a certificate for {SubjectAlternativeNames.FirstIdentity(publicLeaf)?.ToString() ?? "no identity"}");
            }

            var intermediates = new X509Certificate2Collection();
            for (var i = 1; i < chainPem.Count - 1; i++)
                intermediates.ImportFromPem(chainPem[i]);
            var roots = new X509Certificate2Collection();
            roots.ImportFromPem(chainPem[^1]);
            return roots.Count == 0
                ? throw new CertificateException(CertificateFailure.BadResponse, $"the last part of the chain for {requested} holds no certificate, but should be the roots")
                : new(identity, publicLeaf.CopyWithPrivateKey(request.Key), intermediates, roots);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new CertificateException(CertificateFailure.BadResponse, $"the certificate authority's answer for {requested} cannot be used: {e.Message}", e);
        }
    }

    /// <summary>From parts that are already in memory; the leaf has its private key.</summary>
    public static WorkloadCertificate Create(X509Certificate2 leaf, IEnumerable<X509Certificate2> intermediates, IEnumerable<X509Certificate2> roots)
    {
        var identity = SubjectAlternativeNames.FirstIdentity(leaf) ?? default;
        return new(identity, leaf, [.. intermediates], [.. roots]);
    }

    private static UInt128 HashOf(X509Certificate2Collection certificates)
    {
        UInt128 sum = 0;
        foreach (var certificate in certificates)
            sum ^= System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(certificate.GetCertHash(HashAlgorithmName.SHA256));
        return sum;
    }

    /// <summary>Identity and times only: what it is printed into must not learn more.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"certificate of {Identity}, valid {NotBefore:u} to {NotAfter:u}");
}

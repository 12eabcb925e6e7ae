using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;
using Mesh.Model;

namespace Mesh.Identity.Tls;

/// <summary>What the certificates alone say, without regard to who is allowed.</summary>
internal sealed record ChainVerdict(PeerVerdict Verdict, IReadOnlyList<SpiffeId> Identities, string? Detail, DateTimeOffset UsableUntil, long RevocationGeneration)
{
    /// <summary>From the leaf to the root; kept only where certificates can be taken back, for asking again later.</summary>
    public IReadOnlyList<X509Certificate2>? Chain { get; init; }

    public SpiffeId? FirstIdentity => Identities.Count > 0 ? Identities[0] : null;
}

/// <summary>
/// Chain checks, remembered for good chains until the first certificate of the chain ends or a new revocation list comes. Peers meet
/// again and again (one handshake per loop and identity), and building a chain costs more than the rest of the check together.
/// </summary>
internal sealed class ChainMemory(TimeProvider time, IRevocationCheck? revocation)
{
    // One entry per peer certificate, roots and side. Above that the memory starts afresh: a bound against peers that never return.
    private const int Limit = 4096;

    private readonly ConcurrentDictionary<Key, ChainVerdict> _good = new();

    public ChainVerdict Check(X509Certificate2? leaf, X509Certificate2Collection? sent, WorkloadCertificate own, string usage)
    {
        if (leaf is null)
            return new(PeerVerdict.NoCertificate, [], "the peer sent no certificate", default, 0);

        var generation = revocation?.Generation ?? 0;
        var key = new Key(Hash(leaf), own.RootsKey, usage);
        if (_good.TryGetValue(key, out var known) && known.UsableUntil > time.GetUtcNow() && known.RevocationGeneration == generation)
            return known;

        var verdict = Build(leaf, sent, own, usage, generation);
        if (verdict.Verdict == PeerVerdict.Trusted)
        {
            if (_good.Count >= Limit)
                _good.Clear();
            _good[key] = verdict;
        }

        return verdict;
    }

    private ChainVerdict Build(X509Certificate2 leaf, X509Certificate2Collection? sent, WorkloadCertificate own, string usage, long generation)
    {
        var identities = SubjectAlternativeNames.Identities(leaf);
        using var chain = new X509Chain { ChainPolicy = ChainRules.Policy(own.Roots, usage, time) };
        if (sent is not null)
            chain.ChainPolicy.ExtraStore.AddRange(sent);
        var complete = chain.Build(leaf);
        try
        {
            if (ChainRules.Judge(chain, complete, leaf, time.GetUtcNow()) is { } refusal)
                return new(refusal.Verdict, identities, refusal.Detail, default, generation);

            var until = DateTimeOffset.MaxValue;
            for (var i = 0; i < chain.ChainElements.Count; i++)
            {
                var certificate = chain.ChainElements[i].Certificate;
                var end = new DateTimeOffset(certificate.NotAfter.ToUniversalTime());
                until = end < until ? end : until;
                if (i + 1 < chain.ChainElements.Count && revocation?.IsRevoked(certificate, chain.ChainElements[i + 1].Certificate) == true)
                    return new(PeerVerdict.Revoked, identities, $"certificate {certificate.SerialNumber} is on the revocation list", default, generation);
            }

            return new(PeerVerdict.Trusted, identities, null, until, generation)
            {
                Chain = revocation is null ? null : [.. chain.ChainElements.Select(e => X509CertificateLoader.LoadCertificate(e.Certificate.RawDataMemory.Span))],
            };
        }
        finally
        {
            // The chain's own copies; the leaf and the trusted roots belong to others and are never among them.
            foreach (var element in chain.ChainElements)
                element.Certificate.Dispose();
        }
    }

    private static UInt128 Hash(X509Certificate2 certificate)
    {
        // 128 of 256 bits: finding a second certificate with the same half is beyond reach, and it would still have to be sent by a peer that holds its key.
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(certificate.RawDataMemory.Span, hash);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(hash);
    }

    private readonly record struct Key(UInt128 Leaf, UInt128 Roots, string Usage);
}

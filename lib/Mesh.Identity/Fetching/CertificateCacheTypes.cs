using System.Diagnostics.CodeAnalysis;
using Mesh.Identity.Certificates;
using Mesh.Model;

namespace Mesh.Identity.Fetching;

/// <summary>Who waits for the certificate, from the least to the most urgent.</summary>
public enum CertificatePriority
{
    /// <summary>Renewal ahead of need.</summary>
    Background,

    /// <summary>A workload has appeared and will probably talk.</summary>
    Warmup,

    /// <summary>A connection is waiting.</summary>
    RealTime,
}

/// <summary>A certificate, or why there is none.</summary>
public readonly record struct CertificateResult(WorkloadCertificate? Certificate, CertificateFailure? Failure, string? Error)
{
    [MemberNotNullWhen(true, nameof(Certificate))]
    [MemberNotNullWhen(false, nameof(Failure), nameof(Error))]
    public bool IsAvailable => Certificate is not null;

    internal static CertificateResult Of(WorkloadCertificate certificate) => new(certificate, null, null);

    internal static CertificateResult Of(CertificateException error) => new(null, error.Failure, error.Message);
}

public enum CertificateState
{
    /// <summary>The first fetch is waiting or under way.</summary>
    Initializing,
    Available,

    /// <summary>The last fetch failed and nothing unexpired is left; it is tried again.</summary>
    Unavailable,
}

/// <summary>One line of the cache, for the dump.</summary>
public sealed record CertificateStatus(SpiffeId Identity, CertificateState State, WorkloadCertificate? Certificate, string? Error);

public sealed record CertificateCacheOptions
{
    public TimeProvider Time { get; init; } = TimeProvider.System;

    public Random Random { get; init; } = Random.Shared;

    /// <summary>Calls to the authority at the same time.</summary>
    public int MaxConcurrent { get; init; } = 8;

    /// <summary>Of these, how many only waiting connections may use: warm-up of a full node must not stand in their way.</summary>
    public int ReservedForRealTime { get; init; } = 2;

    /// <summary>More warm-ups than this are not queued: the identity is then fetched when it is needed.</summary>
    public int WarmupLimit { get; init; } = 256;

    /// <summary>Renewal comes up to this part of half a life before half-life, so that nodes started together do not renew together.</summary>
    public double RefreshJitter { get; init; } = 0.2;
}

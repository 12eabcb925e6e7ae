namespace Mesh.Model;

/// <summary>The spelling of an <see cref="Ending"/> for machines and its ztunnel-compatible <c>response_flags</c> value.</summary>
public static class EndingText
{
    /// <summary>snake_case name, stable: dashboards and scripts depend on it.</summary>
    public static string Name(this Ending ending) => ending switch
    {
        Ending.Ok => "ok",
        Ending.DeniedByPolicy => "denied_by_policy",
        Ending.NoPolicyMatched => "no_policy_matched",
        Ending.PolicyChanged => "policy_changed",
        Ending.IdentityNotIssued => "identity_not_issued",
        Ending.PeerIdentityMismatch => "peer_identity_mismatch",
        Ending.TlsFailure => "tls_failure",
        Ending.ProtocolFailure => "protocol_failure",
        Ending.CertificateRevoked => "certificate_revoked",
        Ending.BadDestination => "bad_destination",
        Ending.UnknownWorkload => "unknown_workload",
        Ending.NoHealthyUpstream => "no_healthy_upstream",
        Ending.SelfCall => "self_call",
        Ending.UpstreamRefused => "upstream_refused",
        Ending.UpstreamTimeout => "upstream_timeout",
        Ending.UpstreamUnreachable => "upstream_unreachable",
        Ending.TunnelRefused => "tunnel_refused",
        Ending.TunnelLost => "tunnel_lost",
        Ending.PeerReset => "peer_reset",
        Ending.Drained => "drained",
        Ending.HalfCloseDeadline => "half_close_deadline",
        Ending.OverBudget => "over_budget",
        Ending.PodRemoved => "pod_removed",
        Ending.TokenRefused => "token_refused",
        Ending.RateLimited => "rate_limited",
        Ending.UpstreamOverflow => "upstream_overflow",
        Ending.FaultInjected => "fault_injected",
        Ending.InternalError => "internal_error",
        _ => throw new ArgumentOutOfRangeException(nameof(ending), ending, "not a member of the closed set of endings"),
    };

    /// <summary>
    /// The flag in <c>istio_tcp_*</c> metrics. The recorded Rust ztunnel uses CONNECT for everything a client side sees
    /// fail, DENY for policy on the inbound side and <c>-</c> for a good end; the other flags exist for explicit causes.
    /// </summary>
    public static string Flag(this Ending ending) => ending switch
    {
        Ending.Ok => "-",
        Ending.DeniedByPolicy or Ending.NoPolicyMatched or Ending.PolicyChanged => "DENY",
        Ending.CertificateRevoked => "CERT_REVOKED",
        _ => "CONNECT",
    };
}

using Mesh.Model;
using Mesh.Waypoint.Forwarding;

namespace Mesh.Waypoint.Telemetry;

/// <summary>Envoy's flags and details as one value of the mesh's closed set of endings. Pure.</summary>
internal static class RequestEnding
{
    // The first flag that is set decides: what ended the request before what had happened on the way.
    private static readonly (ResponseFlags Flag, Ending Ending)[] ByFlag =
    [
        (ResponseFlags.DownstreamConnectionTermination, Ending.PeerReset),
        (ResponseFlags.RateLimited, Ending.RateLimited),
        (ResponseFlags.RateLimitServiceError, Ending.UpstreamUnreachable),
        (ResponseFlags.UnauthorizedExternalService, Ending.DeniedByPolicy),
        (ResponseFlags.NoRouteFound, Ending.BadDestination),
        (ResponseFlags.NoClusterFound, Ending.BadDestination),
        (ResponseFlags.NoHealthyUpstream, Ending.NoHealthyUpstream),
        (ResponseFlags.UpstreamOverflow, Ending.UpstreamOverflow),
        (ResponseFlags.UpstreamRequestTimeout, Ending.UpstreamTimeout),
        (ResponseFlags.StreamIdleTimeout, Ending.UpstreamTimeout),
        (ResponseFlags.MaxStreamDurationReached, Ending.UpstreamTimeout),
        (ResponseFlags.UpstreamConnectionFailure, Ending.UpstreamUnreachable),
        (ResponseFlags.UpstreamConnectionTermination, Ending.PeerReset),
        (ResponseFlags.UpstreamRemoteReset, Ending.PeerReset),
        (ResponseFlags.UpstreamProtocolError, Ending.ProtocolFailure),
        (ResponseFlags.DownstreamProtocolError, Ending.ProtocolFailure),
        (ResponseFlags.FaultInjected, Ending.FaultInjected),
        (ResponseFlags.LocalReset, Ending.InternalError),
    ];

    public static Ending Of(ResponseFlags flags, string? details)
    {
        foreach (var (flag, ending) in ByFlag)
        {
            if (flags.Has(flag))
                return ending;
        }

        return details switch
        {
            null or "via_upstream" or "direct_response" or "cors_response" => Ending.Ok,
            "rbac_access_denied_matched_policy[none]" => Ending.NoPolicyMatched,
            "path_normalization_failed" or "invalid_method" => Ending.ProtocolFailure,
            Authorization.Verdict.AmbiguousPath => Ending.DeniedByPolicy,
            _ when details.StartsWith("jwt_authn", StringComparison.Ordinal) => Ending.TokenRefused,
            _ when details.StartsWith("rbac_access_denied", StringComparison.Ordinal)
                || details.StartsWith("ext_authz", StringComparison.Ordinal) => Ending.DeniedByPolicy,
            _ when details.StartsWith("http", StringComparison.Ordinal) || details.StartsWith("request_", StringComparison.Ordinal) => Ending.ProtocolFailure,
            _ => Ending.Ok,
        };
    }
}

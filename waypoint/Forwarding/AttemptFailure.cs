using System.Net.Sockets;
using Mesh.Http2;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Http1;
using Mesh.Waypoint.Http2;
using Mesh.Waypoint.Resilience;

namespace Mesh.Waypoint.Forwarding;

/// <summary>A try that brought no response headers: what the retry policy, the client, the log and outlier detection learn of it.</summary>
internal sealed record AttemptFailure(AttemptEnding Ending, string Reason, ResponseFlags Flag, int Status = 503, string? Transport = null)
{
    public static readonly AttemptFailure PerTryTimeout = new(AttemptEnding.PerTryTimeout, "upstream_per_try_timeout", ResponseFlags.UpstreamRequestTimeout, 504);

    public static readonly AttemptFailure Overflow = new(AttemptEnding.Overflow, "overflow", ResponseFlags.UpstreamOverflow);

    /// <summary>How it counts against the endpoint. An overflow does not.</summary>
    public EndpointResult? Result => Ending switch
    {
        AttemptEnding.Overflow => null,
        AttemptEnding.PerTryTimeout => EndpointResult.TimedOut,
        AttemptEnding.ConnectFailure or AttemptEnding.ConnectTimeout => EndpointResult.ConnectionFailed,
        _ => EndpointResult.Broken,
    };

    /// <summary>Pure: the reset reasons and flags of reference 2.7.</summary>
    /// <param name="isSafeToRepeat">The method is idempotent (RFC 9110 9.2.2).</param>
    public static AttemptFailure Classify(Exception error, bool isSafeToRepeat)
    {
        for (var e = error; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case DialException { Failure: DialFailure.TimedOut } dial:
                    return new(AttemptEnding.ConnectTimeout, "connection timeout", ResponseFlags.UpstreamConnectionFailure, Transport: dial.Message);
                case DialException dial:
                    return new(AttemptEnding.ConnectFailure, "remote connection failure", ResponseFlags.UpstreamConnectionFailure, Transport: Transported(dial));
                case UpstreamOverflowException:
                    return Overflow;
                case ProtocolViolationException:
                    return new(AttemptEnding.ProtocolError, "protocol error", ResponseFlags.UpstreamProtocolError, 502);
                case StreamResetException { Code: Http2ErrorCode.REFUSED_STREAM }:
                    return new(AttemptEnding.RefusedStream, "remote refused stream reset", ResponseFlags.UpstreamRemoteReset);
                case StreamResetException:
                    return new(AttemptEnding.RemoteReset, "remote reset", ResponseFlags.UpstreamRemoteReset);
                case UpstreamEndedException { ThroughTunnel: true } when isSafeToRepeat:
                    // The tunnel stands on the node's proxy; what ended is the instance behind it (killed, restarted) or the tunnel itself. The request
                    // may be repeated, so it counts as "could not connect", which the default policy retries on another endpoint.
                    return new(AttemptEnding.ConnectFailure, "connection termination", ResponseFlags.UpstreamConnectionTermination);
                case UpstreamEndedException:
                    return Terminated;
                case HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } when e.InnerException is OperationCanceledException or TimeoutException:
                case OperationCanceledException { InnerException: TimeoutException }:
                    return new(AttemptEnding.ConnectTimeout, "connection timeout", ResponseFlags.UpstreamConnectionFailure);
                case SocketException when error is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError }:
                    return new(AttemptEnding.ConnectFailure, "remote connection failure", ResponseFlags.UpstreamConnectionFailure, Transport: e.Message);
            }
        }

        return Terminated;
    }

    private static readonly AttemptFailure Terminated =
        new(AttemptEnding.ConnectionTermination, "connection termination", ResponseFlags.UpstreamConnectionTermination);

    private static string Transported(DialException dial) =>
        dial.Failure == DialFailure.Refused ? "delayed_connect_error:_Connection_refused" : dial.Message.Replace(' ', '_');
}

using System.Globalization;
using Mesh.Waypoint.Http1;

namespace Mesh.Waypoint.Resilience;

/// <summary>How long an endpoint that answers "too many requests" asks to be left alone. Pure.</summary>
internal static class Pushback
{
    private const int TooManyRequests = 429;

    // RESOURCE_EXHAUSTED, gRPC's list of status codes.
    private const int ResourceExhausted = 8;

    /// <param name="fields">The headers, or for gRPC the trailers, that the status came with.</param>
    /// <returns>Null: the answer is another one, or names no time. Never negative; the caller bounds it.</returns>
    public static TimeSpan? Asked(int status, int? grpcStatus, FieldList fields, DateTimeOffset now)
    {
        if (status != TooManyRequests && grpcStatus != ResourceExhausted)
            return null;

        // gRFC A6: a number of milliseconds; a negative one is about repeating the call, not about time.
        if (fields.Find("grpc-retry-pushback-ms") is { } pushback)
            return uint.TryParse(pushback, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds) ? TimeSpan.FromMilliseconds(milliseconds) : null;

        // RFC 9110 10.2.3: seconds or a date.
        if (fields.Find("retry-after") is not { } after)
            return null;
        if (uint.TryParse(after, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
            return TimeSpan.FromSeconds(seconds);
        return DateTimeOffset.TryParseExact(after, "r", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date) && date > now ? date - now : null;
    }
}

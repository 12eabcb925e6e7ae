using System.Globalization;
using System.Text;

namespace Mesh.Waypoint.Forwarding;

/// <summary>gRPC status codes in an HTTP world (reference 7.9).</summary>
internal static class GrpcStatus
{
    public static int FromHttp(int status) => status switch
    {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 or 502 or 503 or 504 => 14,
        _ => 2,
    };

    /// <summary>How an answer counts for outlier detection.</summary>
    public static int ToHttp(int status) => status switch
    {
        0 => 200,
        1 => 499,
        3 or 9 or 11 => 400,
        4 => 504,
        5 => 404,
        6 or 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    };

    /// <summary>grpc-message is percent-encoded outside printable ASCII.</summary>
    public static string EncodeMessage(string message)
    {
        var result = new StringBuilder(message.Length);
        foreach (var b in Encoding.UTF8.GetBytes(message))
        {
            if (b is >= 0x20 and <= 0x7e and not (byte)'%')
                result.Append((char)b);
            else
                result.Append('%').Append(b.ToString("X2"));
        }

        return result.ToString();
    }

    /// <summary>In milliseconds, as Envoy writes it, or in the first larger unit that needs no more than eight digits; never nothing.</summary>
    public static string FormatTimeout(TimeSpan timeout)
    {
        const double Most = 99_999_999;
        var (amount, unit) = timeout.TotalMilliseconds <= Most ? (timeout.TotalMilliseconds, 'm')
            : timeout.TotalSeconds <= Most ? (timeout.TotalSeconds, 'S')
            : timeout.TotalMinutes <= Most ? (timeout.TotalMinutes, 'M')
            : (Math.Min(timeout.TotalHours, Most), 'H');
        return FormattableString.Invariant($"{Math.Max(1, (long)amount)}{unit}");
    }

    /// <summary>The value of <c>grpc-timeout</c>: up to eight digits and one of H M S m u n.</summary>
    public static TimeSpan? ParseTimeout(string? value)
    {
        if (value is not { Length: >= 2 and <= 9 } || !long.TryParse(value.AsSpan(0, value.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var amount))
            return null;
        return value[^1] switch
        {
            'H' => TimeSpan.FromHours(amount),
            'M' => TimeSpan.FromMinutes(amount),
            'S' => TimeSpan.FromSeconds(amount),
            'm' => TimeSpan.FromMilliseconds(amount),
            'u' => TimeSpan.FromMicroseconds(amount),
            'n' => TimeSpan.FromTicks(amount / 100),
            _ => null,
        };
    }
}

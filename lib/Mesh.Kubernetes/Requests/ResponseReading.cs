using System.Net;
using System.Text.Json;
using Mesh.Kubernetes.Objects;

namespace Mesh.Kubernetes.Requests;

/// <summary>From an HTTP answer that is not a success to a <see cref="KubeException"/>.</summary>
internal static class ResponseReading
{
    // Of a text that is no Status, this much goes into the message.
    private const int MostText = 200;

    /// <param name="subject">Method and path, for the message.</param>
    public static async Task<KubeException> ReadFailureAsync(HttpResponseMessage response, string subject, CancellationToken cancellation)
    {
        ApiStatus? status = null;
        string text = string.Empty;
        try
        {
            var body = await response.Content.ReadAsByteArrayAsync(cancellation);
            // Decide by Content-Type: proxies, the aggregator and priority and fairness answer in plain text.
            if (response.Content.Headers.ContentType?.MediaType is "application/json" && body.Length > 0)
                status = JsonSerializer.Deserialize(body, KubeJson.Default.ApiStatus);
            else
                text = System.Text.Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, MostText))).Trim();
        }
        catch (Exception e) when (e is HttpRequestException or IOException or JsonException)
        {
            // The status code says enough.
        }
        if (status?.Kind is not "Status")
            status = null;
        return From((int)response.StatusCode, status, text, subject, RetryAfter(response));
    }

    public static KubeException From(int code, ApiStatus? status, string text, string subject, TimeSpan? retryAfter = null)
    {
        var said = status?.Message is { Length: > 0 } message ? message : text.Length > 0 ? text : $"HTTP {code}";
        return new KubeException(Classify(code, status), $"{subject}: {said} ({code}{(status?.Reason is { Length: > 0 } reason ? $" {reason}" : "")})")
        {
            StatusCode = code,
            RetryAfter = retryAfter ?? (status?.Details?.RetryAfterSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null),
            Causes = [.. (status?.Details?.Causes ?? []).Select(c => new FailureCause(c.Reason ?? "", c.Field ?? "", c.Message ?? ""))],
        };
    }

    private static KubeFailure Classify(int code, ApiStatus? status) => code switch
    {
        401 => KubeFailure.Unauthorized,
        403 => KubeFailure.Forbidden,
        404 => status?.Reason is "NotFound" && status.Details?.Name is { Length: > 0 } ? KubeFailure.NotFound : KubeFailure.NotServed,
        409 => status?.Reason is "AlreadyExists" ? KubeFailure.AlreadyExists : KubeFailure.Conflict,
        410 => KubeFailure.Expired,
        422 => KubeFailure.Invalid,
        429 => KubeFailure.Throttled,
        >= 500 => KubeFailure.ServerError,
        // Redirects: something that is not an API server answers.
        < 400 => KubeFailure.Malformed,
        _ => KubeFailure.BadRequest,
    };

    private static TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter?.Delta;

    public static bool IsWorthWaitingFor(HttpStatusCode code, TimeSpan? retryAfter) =>
        code is HttpStatusCode.TooManyRequests || (code is HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout && retryAfter is not null);
}

using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Forwarding;

/// <summary>What a client may not tell the proxy, and what the application is told (reference 5.3).</summary>
internal static class HeaderHygiene
{
    /// <summary>Control headers of Envoy: a client could switch timeouts and retries with them. The last group is made by proxies only.</summary>
    private static readonly FrozenSet<string> Stripped = new[]
    {
        "x-envoy-retry-on", "x-envoy-retry-grpc-on", "x-envoy-max-retries", "x-envoy-retriable-status-codes", "x-envoy-retriable-header-names",
        "x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms", "x-envoy-upstream-rq-timeout-alt-response",
        "x-envoy-expected-rq-timeout-ms", "x-envoy-upstream-alt-stat-name", "x-envoy-force-trace", "x-envoy-ip-tags", "x-envoy-original-url",
        "x-envoy-hedge-on-per-try-timeout", "x-envoy-decorator-operation", "x-forwarded-client-cert", "x-envoy-internal",
        "x-envoy-attempt-count", "x-envoy-original-path", "x-envoy-original-host", "x-envoy-external-address", "x-envoy-peer-metadata",
        "x-envoy-peer-metadata-id",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>A name that only proxies may use.</summary>
    public static bool IsProxys(string name) => Stripped.Contains(name);

    public static void Sanitize(IHeaderDictionary headers, string scheme, Func<string> newRequestId)
    {
        List<string>? planted = null;
        foreach (var (name, _) in headers)
        {
            if (name.StartsWith("x-", StringComparison.OrdinalIgnoreCase) && Stripped.Contains(name))
                (planted ??= []).Add(name);
        }

        if (planted is not null)
        {
            foreach (var name in planted)
                headers.Remove(name);
        }

        if (!headers.ContainsKey("x-forwarded-proto"))
            headers["x-forwarded-proto"] = scheme;
        if (!headers.ContainsKey("x-request-id"))
            headers["x-request-id"] = newRequestId();
    }
}

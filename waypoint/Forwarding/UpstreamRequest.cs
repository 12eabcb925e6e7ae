using System.Globalization;
using System.Net;
using Mesh.Waypoint.Balancing;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Forwarding;

/// <summary>What is sent to the application, fixed once for all tries; each try makes its own message from it.</summary>
internal sealed class UpstreamRequest
{
    private static readonly UriCreationOptions Verbatim = new() { DangerousDisablePathAndQueryCanonicalization = true };

    private readonly IHeaderDictionary _headers;
    private readonly HttpMethod _method;
    private readonly string _pathAndQuery;
    private readonly string _authority;
    private readonly bool _clientIsHttp2;

    public UpstreamRequest(HttpRequest request, string authority, string pathAndQuery)
    {
        _headers = request.Headers;
        _method = new HttpMethod(request.Method);
        _pathAndQuery = pathAndQuery;
        _authority = authority;
        _clientIsHttp2 = HttpProtocol.IsHttp2(request.Protocol);

        // RFC 9110 9.2.2.
        IsIdempotent = request.Method is "GET" or "HEAD" or "OPTIONS" or "TRACE" or "PUT" or "DELETE";
    }

    public bool IsIdempotent { get; }

    /// <summary>Set for a WebSocket: the value of Upgrade.</summary>
    public string? Upgrade { get; init; }

    public HttpRequestMessage CreateMessage(EndpointState endpoint, ClusterModel model, BodyContent? body, TimeSpan? expectedTimeout, string? traceParent)
    {
        var message = new HttpRequestMessage(_method, new Uri($"http://{endpoint.Text}{_pathAndQuery}", Verbatim))
        {
            Version = Upgrade is null ? Version(model) : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = body,
        };
        foreach (var (name, values) in _headers)
        {
            if (name.Length == 0 || name[0] == ':' || name.Equals("Host", StringComparison.OrdinalIgnoreCase))
                continue;
            if (IsContentHeader(name))
                body?.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
            else
                message.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        }

        // As Envoy's codec: a request without a body says so, unless its method has none anyway.
        if (body is null && Upgrade is null && message.Version == HttpVersion.Version11 && _method.Method is not ("GET" or "HEAD" or "DELETE" or "TRACE"))
            message.Content = new ByteArrayContent([]);
        message.Headers.Host = null;
        message.Headers.TryAddWithoutValidation("Host", _authority);
        if (expectedTimeout is { } timeout)
            message.Headers.TryAddWithoutValidation("x-envoy-expected-rq-timeout-ms", ((long)Math.Ceiling(Math.Max(timeout.TotalMilliseconds, 0))).ToString(CultureInfo.InvariantCulture));
        if (Upgrade is not null)
        {
            message.Headers.TryAddWithoutValidation("Connection", "Upgrade");
            message.Headers.TryAddWithoutValidation("Upgrade", Upgrade);
        }

        // One request per connection is the one case of this limit that HTTP itself can say.
        if (model.Limits.MaxRequestsPerConnection == 1 && message.Version == HttpVersion.Version11 && Upgrade is null)
            message.Headers.ConnectionClose = true;
        if (_headers.Expect.Count > 0 && body is not null)
            message.Headers.ExpectContinue = true;
        message.Options.Set(UpstreamPool.TraceParent, traceParent);
        return message;
    }

    private Version Version(ClusterModel model)
    {
        var http2 = model.Source.Protocol switch
        {
            V1.Protocol.Http2 or V1.Protocol.Grpc => true,
            V1.Protocol.Http1 => model.Limits.UpgradeToHttp2 || (model.Limits.UseClientProtocol && _clientIsHttp2),
            // Found out by its first bytes: the application is spoken to as the client speaks (reference 5.4).
            _ => _clientIsHttp2,
        };
        return http2 ? HttpVersion.Version20 : HttpVersion.Version11;
    }

    // HttpClient keeps these with the body.
    private static bool IsContentHeader(string name) =>
        name.StartsWith("Content-", StringComparison.OrdinalIgnoreCase)
        && (name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase) || name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase)
            || name.Equals("Content-Encoding", StringComparison.OrdinalIgnoreCase) || name.Equals("Content-Language", StringComparison.OrdinalIgnoreCase)
            || name.Equals("Content-Location", StringComparison.OrdinalIgnoreCase) || name.Equals("Content-Range", StringComparison.OrdinalIgnoreCase)
            || name.Equals("Content-Disposition", StringComparison.OrdinalIgnoreCase) || name.Equals("Content-MD5", StringComparison.OrdinalIgnoreCase))
        || name.Equals("Allow", StringComparison.OrdinalIgnoreCase) || name.Equals("Expires", StringComparison.OrdinalIgnoreCase)
        || name.Equals("Last-Modified", StringComparison.OrdinalIgnoreCase);
}

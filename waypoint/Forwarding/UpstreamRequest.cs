using System.Buffers;
using System.Globalization;
using Mesh.Http2;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Http1;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Forwarding;

/// <summary>What is sent to the application, fixed once for all tries; each try makes its own message from it.</summary>
internal sealed class UpstreamRequest
{
    private readonly IHeaderDictionary _headers;
    private readonly string _method;
    private readonly string _pathAndQuery;
    private readonly string _authority;
    private readonly bool _clientIsHttp2;

    /// <param name="hasBody">The client sends one, be it empty.</param>
    public UpstreamRequest(HttpRequest request, string authority, string pathAndQuery, bool hasBody)
    {
        _headers = request.Headers;
        _method = request.Method;
        _pathAndQuery = pathAndQuery;
        _authority = authority;
        _clientIsHttp2 = HttpProtocol.IsHttp2(request.Protocol);
        IsChunked = hasBody && request.ContentLength is null;
        ExpectsContinue = hasBody && _headers.Expect.ToString().Equals("100-continue", StringComparison.OrdinalIgnoreCase);

        // RFC 9110 9.2.2.
        IsIdempotent = _method is "GET" or "HEAD" or "OPTIONS" or "TRACE" or "PUT" or "DELETE";
    }

    private UpstreamRequest(UpstreamRequest other)
    {
        _headers = new HeaderDictionary(other._headers.ToDictionary(h => h.Key, h => h.Value, StringComparer.OrdinalIgnoreCase));
        (_method, _pathAndQuery, _authority, _clientIsHttp2) = (other._method, other._pathAndQuery, other._authority, other._clientIsHttp2);
        (IsChunked, IsIdempotent) = (other.IsChunked, other.IsIdempotent);
        _headers.Remove("Expect");
    }

    public bool IsIdempotent { get; }

    public bool IsHead => _method == "HEAD";

    /// <summary>A body of unknown length.</summary>
    public bool IsChunked { get; }

    public bool ExpectsContinue { get; }

    /// <summary>Set for a WebSocket: the value of Upgrade.</summary>
    public string? Upgrade { get; init; }

    /// <summary>A copy that outlives the client's request and does not wait for 100.</summary>
    public UpstreamRequest Detach() => new(this);

    public bool UsesHttp2(ClusterModel model) => Upgrade is null && model.Source.Protocol switch
    {
        V1.Protocol.Http2 or V1.Protocol.Grpc => true,
        V1.Protocol.Http1 => model.Limits.UpgradeToHttp2 || (model.Limits.UseClientProtocol && _clientIsHttp2),
        // Found out by its first bytes: the application is spoken to as the client speaks (reference 5.4).
        _ => _clientIsHttp2,
    };

    public void WriteHttp1(IBufferWriter<byte> output, UpstreamCallContext context)
    {
        var head = new RequestHeadWriter(output);
        head.RequestLine(_method, _pathAndQuery, _authority);
        foreach (var (name, values) in _headers)
        {
            if (name.Length == 0 || name[0] == ':' || name.Equals("Host", StringComparison.OrdinalIgnoreCase))
                continue;

            // A cookie that HTTP/2 has split is one line again (RFC 9113 8.2.3).
            if (_clientIsHttp2 && values.Count > 1 && name.Equals("Cookie", StringComparison.OrdinalIgnoreCase))
            {
                head.Field(name, string.Join("; ", values.ToArray()));
                continue;
            }

            foreach (var value in values)
                head.Field(name, value ?? string.Empty);
        }

        // As Envoy's codec: a request without a body says so, unless its method has none anyway.
        if (IsChunked)
            head.Field("transfer-encoding", "chunked");
        else if (context.Body is null && Upgrade is null && _headers.ContentLength is null && _method is not ("GET" or "HEAD" or "DELETE" or "TRACE" or "CONNECT"))
            head.Field("content-length", "0");
        foreach (var (name, value) in Added(context))
            head.Field(name, value);
        if (Upgrade is not null)
        {
            head.Field("connection", "Upgrade");
            head.Field("upgrade", Upgrade);
        }

        head.End();
    }

    public HeaderList WriteHttp2(UpstreamCallContext context)
    {
        var head = Http2RequestHead.Begin(_method, _pathAndQuery, _authority, _headers.Count + 8);
        foreach (var (name, values) in _headers)
        {
            if (name.Length == 0 || name[0] == ':' || name.Equals("Host", StringComparison.OrdinalIgnoreCase) || HopByHop.Is(name))
                continue;
            foreach (var value in values)
                Http2RequestHead.Add(head, name, value ?? string.Empty);
        }

        foreach (var (name, value) in Added(context))
            Http2RequestHead.Add(head, name, value);
        return head;
    }

    private static IEnumerable<(string Name, string Value)> Added(UpstreamCallContext context)
    {
        if (context.ExpectedTimeout is { } timeout)
            yield return ("x-envoy-expected-rq-timeout-ms", ((long)Math.Ceiling(Math.Max(timeout.TotalMilliseconds, 0))).ToString(CultureInfo.InvariantCulture));
        foreach (var header in context.MirrorHeaders)
            yield return header;
    }
}

using Envoy.Service.Auth.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Transport;
using Peer = Envoy.Service.Auth.V3.AttributeContext.Types.Peer;

namespace Mesh.Waypoint.Authorization.External;

/// <summary>What a gRPC authorizer is told about a request or a connection, as Envoy tells it.</summary>
internal static class CheckRequests
{
    /// <summary>Says whether the body in the request is only its start.</summary>
    public const string PartialBody = "x-envoy-auth-partial-body";

    public static CheckRequest Of(Exchange exchange, CheckedBody? rule, PeekedBody? body, DateTimeOffset now)
    {
        var http = exchange.Http.Request;
        var facts = exchange.Facts;
        var request = new AttributeContext.Types.HttpRequest
        {
            Id = http.Headers["x-request-id"].ToString(),
            Method = facts.Method,
            Path = facts.PathAndQuery,
            Host = facts.Authority,
            Scheme = facts.Scheme,
            Protocol = http.Protocol,
            Size = http.ContentLength ?? (body is { IsComplete: true } ? body.Bytes.Length : -1),
        };
        request.Headers[":method"] = facts.Method;
        request.Headers[":path"] = facts.PathAndQuery;
        request.Headers[":authority"] = facts.Authority;
        request.Headers[":scheme"] = facts.Scheme;
        foreach (var (name, values) in http.Headers)
        {
            if (name.Length > 0 && name[0] != ':' && !name.Equals("host", StringComparison.OrdinalIgnoreCase))
                request.Headers[name.ToLowerInvariant()] = HeaderMatcher.Join(values) ?? string.Empty;
        }

        if (rule is not null && body is not null)
        {
            var told = body.Bytes.Span[..Math.Min(rule.MaxBytes, body.Bytes.Length)];
            if (rule.AsBytes)
                request.RawBody = ByteString.CopyFrom(told);
            else
                request.Body = System.Text.Encoding.UTF8.GetString(told);
            request.Headers[PartialBody] = body.IsComplete && told.Length == body.Bytes.Length ? "false" : "true";
        }

        var check = OfConnection(exchange.Connection, exchange.Destination);
        check.Attributes.Request = new AttributeContext.Types.Request { Time = Timestamp.FromDateTimeOffset(now), Http = request };
        return check;
    }

    public static CheckRequest OfConnection(InboundConnection connection, Destination? destination)
    {
        var caller = connection.Caller;
        var source = new Peer { Address = Address(caller.Address.Address, caller.Address.Port), Principal = caller.Spiffe ?? string.Empty };
        var target = new Peer { Address = Address(connection.Original.Address, connection.Original.Port) };
        if (destination is { IsWorkload: false })
            target.Service = destination.Hostname;
        return new CheckRequest { Attributes = new AttributeContext { Source = source, Destination = target } };
    }

    private static Address Address(System.Net.IPAddress address, int port) =>
        new() { SocketAddress = new SocketAddress { Address = address.ToString(), PortValue = (uint)port } };
}

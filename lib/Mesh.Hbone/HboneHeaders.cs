using System.Net;
using Mesh.Http2;
using Mesh.Model;

namespace Mesh.Hbone;

/// <summary>The header fields of a CONNECT and of its answer; see docs/hbone.md.</summary>
public static class HboneHeaders
{
    public const string Baggage = "baggage";
    public const string Forwarded = "forwarded";
    public const string TraceParent = "traceparent";
    public const string ForwardedNetwork = "x-forwarded-network";

    /// <summary>Ours: the client as a waypoint authenticated it. Trusted only from the destination workload's own waypoint.</summary>
    public const string ClientPrincipal = "x-mesh-client-principal";

    /// <summary>Ours, on refusals: a value of the closed set of endings, for the client side's log.</summary>
    public const string Reason = "x-mesh-reason";

    /// <summary>A CONNECT in the order in which ztunnel sends its fields.</summary>
    /// <param name="authority"><c>ip:port</c>, IPv6 in brackets, or <c>hostname:port</c>.</param>
    /// <param name="client">The captured client's address.</param>
    public static HeaderList Connect(string authority, Baggage baggage, IPEndPoint client, string? serviceHostname, TraceParent trace, string? network = null, SpiffeId? clientPrincipal = null)
    {
        var headers = new HeaderList
        {
            new HeaderField(":method", "CONNECT"),
            new HeaderField(":authority", authority),
            new HeaderField(Baggage, baggage.ToString()),
            new HeaderField(Forwarded, FormatForwarded(client, serviceHostname)),
            new HeaderField(TraceParent, trace.ToString()),
        };
        if (network is not null)
            headers.Add(new HeaderField(ForwardedNetwork, network));
        if (clientPrincipal is { } principal)
            headers.Add(new HeaderField(ClientPrincipal, principal.ToString()));
        return headers;
    }

    public static string FormatForwarded(IPEndPoint client, string? serviceHostname) =>
        serviceHostname is null ? $"for=\"{client}\"" : $"for=\"{client}\";host={serviceHostname}";

    /// <summary>The <c>host=</c> of the first Forwarded field; null where there is none.</summary>
    public static string? ForwardedHost(HeaderList headers) => ForwardedPart(headers, "host=");

    /// <summary>The <c>for=</c> of the first Forwarded field as an address; null where there is none.</summary>
    public static IPEndPoint? ForwardedFor(HeaderList headers) =>
        ForwardedPart(headers, "for=") is { } text && IPEndPoint.TryParse(text, out var client) ? client : null;

    private static string? ForwardedPart(HeaderList headers, string key)
    {
        if (headers.Get(Forwarded) is not { } value || !System.Text.Ascii.IsValid(value))
            return null;
        foreach (var part in value.Split(';'))
        {
            var trimmed = part.Trim();
            if (!trimmed.StartsWith(key, StringComparison.Ordinal))
                continue;
            var text = trimmed[key.Length..];
            if (text.Length >= 2 && text[0] == '"' && text[^1] == '"')
                text = text[1..^1];
            return text.Length == 0 ? null : text;
        }

        return null;
    }
}

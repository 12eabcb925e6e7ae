using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Routing;

/// <summary>What rules may look at, taken once from the request. The path is normalised and has no query.</summary>
internal sealed record RequestFacts
{
    public required string Method { get; init; }

    public required string Scheme { get; init; }

    public required string Authority { get; init; }

    /// <summary>After normalisation; what is matched is also what is forwarded (reference 3.6).</summary>
    public required string Path { get; init; }

    /// <summary>As sent, without the question mark; empty where there was none.</summary>
    public string Query { get; init; } = string.Empty;

    /// <summary>An empty query is still a question mark on the wire.</summary>
    public bool HasQuery { get; init; }

    public required IHeaderDictionary Headers { get; init; }

    public required Caller Caller { get; init; }

    /// <summary>Of a valid token; null where the request brought none, or before tokens are looked at.</summary>
    public TokenClaims? Claims { get; init; }

    /// <summary>As it goes on the wire: the query and its question mark belong to it.</summary>
    public string PathAndQuery => HasQuery ? $"{Path}?{Query}" : Path;

    public bool IsGrpc => Headers.ContentType.Count > 0 && GrpcContentType.Is(Headers.ContentType[0]);
}

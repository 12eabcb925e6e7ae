using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Mesh.Waypoint.Authorization.External;

internal enum AuthorizerVerdict
{
    Allowed,
    Denied,

    /// <summary>No usable answer: unreachable, too late, or a failure of its own.</summary>
    Failed,
}

/// <summary>How a header of the answer meets one that is there.</summary>
internal enum HeaderChange
{
    Set,
    Append,
    AddIfAbsent,
    OverwriteIfExists,
}

/// <summary>What an authorizer said. Changes to the request count only where it allowed.</summary>
internal sealed record AuthorizerAnswer(AuthorizerVerdict Verdict)
{
    public static readonly AuthorizerAnswer Allowed = new(AuthorizerVerdict.Allowed);

    /// <summary>Of a denial; what the client gets.</summary>
    public int Status { get; init; } = StatusCodes.Status403Forbidden;

    public byte[] Body { get; init; } = [];

    public IReadOnlyList<(string Name, string Value, HeaderChange Change)> RequestHeaders { get; init; } = [];

    public IReadOnlyList<string> RemovedHeaders { get; init; } = [];

    public IReadOnlyList<(string Name, string Value, HeaderChange Change)> ResponseHeaders { get; init; } = [];

    public IReadOnlyList<(string Name, string Value)> SetParameters { get; init; } = [];

    public IReadOnlyList<string> RemovedParameters { get; init; } = [];

    /// <summary>Of a failure, for the log.</summary>
    public string? Reason { get; init; }

    public static AuthorizerAnswer Failure(string reason) => new(AuthorizerVerdict.Failed) { Reason = reason };

    public static void Apply(IEnumerable<(string Name, string Value, HeaderChange Change)> changes, IHeaderDictionary headers)
    {
        foreach (var (name, value, change) in changes)
        {
            // Framing is the waypoint's: an answer that touched it could smuggle a second request. Pseudo headers have other ways.
            if (name.Length == 0 || name[0] == ':' || Forwarding.HopByHop.Is(name) || name.Equals("content-length", StringComparison.OrdinalIgnoreCase))
                continue;
            var exists = headers.TryGetValue(name, out var there);
            switch (change)
            {
                case HeaderChange.Append when exists:
                    headers[name] = StringValues.Concat(there, value);
                    break;
                case HeaderChange.AddIfAbsent when exists:
                case HeaderChange.OverwriteIfExists when !exists:
                    break;
                default:
                    headers[name] = value;
                    break;
            }
        }
    }
}

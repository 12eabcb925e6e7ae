using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Authorization.External;

internal enum AuthorizerVerdict
{
    Allowed,
    Denied,

    /// <summary>No usable answer: unreachable, too late, or a failure of its own.</summary>
    Failed,
}

/// <summary>What an authorizer said. Changes to the request count only where it allowed.</summary>
internal sealed record AuthorizerAnswer(AuthorizerVerdict Verdict)
{
    public static readonly AuthorizerAnswer Allowed = new(AuthorizerVerdict.Allowed);

    /// <summary>Of a denial; what the client gets.</summary>
    public int Status { get; init; } = StatusCodes.Status403Forbidden;

    public byte[] Body { get; init; } = [];

    public IReadOnlyList<HeaderChange> RequestHeaders { get; init; } = [];

    public IReadOnlyList<string> RemovedHeaders { get; init; } = [];

    public IReadOnlyList<HeaderChange> ResponseHeaders { get; init; } = [];

    public IReadOnlyList<(string Name, string Value)> SetParameters { get; init; } = [];

    public IReadOnlyList<string> RemovedParameters { get; init; } = [];

    /// <summary>Of a failure, for the log.</summary>
    public string? Reason { get; init; }

    public static AuthorizerAnswer Failure(string reason) => new(AuthorizerVerdict.Failed) { Reason = reason };
}

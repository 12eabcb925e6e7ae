using System.Net;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Transport;

namespace Mesh.Waypoint.Authorization;

/// <summary>What a rule is evaluated against. On a connection that is not HTTP there is no request.</summary>
internal readonly record struct PolicyFacts(Caller Caller, OriginalDestination Original, RequestFacts? Request, TokenClaims? Claims)
{
    public static PolicyFacts OfConnection(InboundConnection connection) => new(connection.Caller, connection.Original, null, null);

    /// <summary>The client as the last entry of X-Forwarded-For names it, else the connection's (recorded; the client itself can write it).</summary>
    public IPAddress RemoteAddress()
    {
        if (Request?.Headers["x-forwarded-for"] is { Count: > 0 } forwarded && forwarded[^1] is { } last)
        {
            var entry = last.AsSpan(last.LastIndexOf(',') + 1).Trim();
            if (IPAddress.TryParse(entry, out var address))
                return address;
        }

        return Caller.Address.Address;
    }
}

/// <summary>Whether a clause holds. A clause about HTTP on a connection that is not HTTP is neither: the action decides (reference 3.4).</summary>
internal enum ClauseResult
{
    DoesNotHold,
    Holds,
    NotApplicable,
}

using Mesh.Waypoint.Forwarding;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Mesh.Waypoint.Routing;

/// <summary>How a header that a service asked for meets one that is there.</summary>
internal enum HeaderChangeKind
{
    Set,
    Append,
    AddIfAbsent,
    OverwriteIfExists,
}

/// <summary>One header of an authorizer's or rate limit service's answer, for the application or the client.</summary>
internal readonly record struct HeaderChange(string Name, string Value, HeaderChangeKind Kind)
{
    public static void Apply(IEnumerable<HeaderChange> changes, IHeaderDictionary headers)
    {
        foreach (var change in changes)
            change.Apply(headers);
    }

    private void Apply(IHeaderDictionary headers)
    {
        // Framing is the waypoint's: an answer that touched it could smuggle a second request. Pseudo headers have other ways.
        if (Name.Length == 0 || Name[0] == ':' || HopByHop.Is(Name) || Name.Equals("content-length", StringComparison.OrdinalIgnoreCase) || Name.Equals("host", StringComparison.OrdinalIgnoreCase))
            return;
        var exists = headers.TryGetValue(Name, out var there);
        switch (Kind)
        {
            case HeaderChangeKind.Append when exists:
                headers[Name] = StringValues.Concat(there, Value);
                break;
            case HeaderChangeKind.AddIfAbsent when exists:
            case HeaderChangeKind.OverwriteIfExists when !exists:
                break;
            default:
                headers[Name] = Value;
                break;
        }
    }
}

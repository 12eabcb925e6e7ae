using System.Net;
using Mesh.Waypoint.Authorization;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests;

/// <summary>Short ways to say what a request is like.</summary>
internal static class Requests
{
    public const string Storefront = "spiffe://cluster.local/ns/shop/sa/storefront";

    public static RequestFacts Make(string method, string target, string? authority = null, string? caller = Storefront, params (string Name, string Value)[] headers)
    {
        var dictionary = new HeaderDictionary();
        foreach (var (name, value) in headers)
            dictionary[name] = Microsoft.Extensions.Primitives.StringValues.Concat(dictionary[name], value);
        var question = target.IndexOf('?', StringComparison.Ordinal);
        return new RequestFacts
        {
            Method = method,
            Scheme = "http",
            Authority = authority ?? "shop.example",
            Path = question < 0 ? target : target[..question],
            Query = question < 0 ? string.Empty : target[(question + 1)..],
            HasQuery = question >= 0,
            Headers = dictionary,
            Caller = new Caller(caller, new IPEndPoint(IPAddress.Parse("198.18.1.7"), 4711)),
        };
    }

    public static RequestFacts Get(string target, params (string Name, string Value)[] headers) => Make("GET", target, headers: headers);

    public static PolicyFacts Facts(RequestFacts request, int port = 80, TokenClaims? claims = null) =>
        new(request.Caller, new OriginalDestination(IPAddress.Parse("127.50.1.1"), port), request, claims);

    public static PolicyFacts Tcp(string? caller, int port = 80)
    {
        var who = new Caller(caller, new IPEndPoint(IPAddress.Parse("198.18.1.7"), 4711));
        return new PolicyFacts(who, new OriginalDestination(IPAddress.Parse("127.50.1.1"), port), null, null);
    }
}

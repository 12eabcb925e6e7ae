using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Tests.Waypoints;

/// <summary>
/// The order of Gateway API's matches, against a model that does not order anything: it looks at all matches that hold for a request and
/// takes the most special one by the specification's sentences.
/// </summary>
public sealed class RoutePrecedenceTests
{
    private static readonly string[] Paths = ["/", "/a", "/a/", "/a/b", "/ab", "/b"];
    private static readonly string[] Requested = ["/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/b/x", "/c"];
    private static readonly string[] Expressions = ["/a.*", ".*", "/[ab]"];

    private sealed record Match(string Route, int Age, int Rule, int Index, string Type, string Path, string? Method, int Headers, int Query)
    {
        public string Name => $"{Route}-{Rule}-{Index}";
    }

    private sealed record Request(string Path, string Method, int Headers, int Query);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Routes_AnyMatches_FirstThatHoldsIsTheMostSpecial(int seed)
    {
        var random = new Random(seed);
        var matches = Make(random);
        var mesh = Documents.Translate([Documents.PaymentService, Documents.PaymentWaypoint, Documents.Pod("p1", "payment", "198.18.2.2"), .. matches.GroupBy(m => m.Route).Select(Document)]);
        var port = Assert.Single(((Service)mesh.Waypoints["default/payment-waypoint"].Services["default/payment.default.svc.cluster.local"]).Ports);
        Assert.Equal(matches.Count, port.HttpRoutes.Count);
        foreach (var path in Requested)
        {
            foreach (var method in (string[])["GET", "POST"])
            {
                for (var headers = 0; headers <= 2; headers++)
                {
                    for (var query = 0; query <= 2; query++)
                    {
                        var request = new Request(path, method, headers, query);
                        var expected = Model(matches, request)?.Name;
                        var found = port.HttpRoutes.FirstOrDefault(r => Holds(r.Matches, request))?.RequestHeaders.Set["x-match"];
                        Assert.True(expected == found, $"{request}: {expected} is the most special, {found} comes first");
                    }
                }
            }
        }
    }

    private static List<Match> Make(Random random)
    {
        var made = new List<Match>();
        for (var route = 0; route < 4; route++)
        {
            for (var rule = 0; rule < 3; rule++)
            {
                // Each match is a rule of its own kind of answer: a rule's matches share what it does.
                var type = random.Next(7) switch { 0 => "RegularExpression", 1 or 2 or 3 => "Exact", _ => "PathPrefix" };
                var path = type == "RegularExpression" ? Expressions[random.Next(Expressions.Length)] : Paths[random.Next(Paths.Length)];
                made.Add(new Match($"r{(route * 7) % 4}", random.Next(2), rule, 0, type, path, random.Next(3) == 0 ? "POST" : null, random.Next(3), random.Next(3)));
            }
        }

        // One document has one age.
        return [.. made.GroupBy(m => m.Route).SelectMany(g => g.Select(m => m with { Age = g.First().Age }))];
    }

    private static string Document(IGrouping<string, Match> route)
    {
        var text = new StringBuilder("apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n");
        text.Append(CultureInfo.InvariantCulture, $"metadata: {{ name: {route.Key}, namespace: default, creationTimestamp: \"2026-01-0{route.First().Age + 1}T00:00:00Z\" }}\n");
        text.Append("spec:\n  parentRefs: [ { group: '', kind: Service, name: payment, port: 80 } ]\n  rules:\n");
        foreach (var match in route.OrderBy(m => m.Rule))
        {
            text.Append(CultureInfo.InvariantCulture, $"  - matches: [ {{ path: {{ type: {match.Type}, value: '{match.Path}' }}");
            if (match.Method is not null)
                text.Append(CultureInfo.InvariantCulture, $", method: {match.Method}");
            if (match.Headers > 0)
                text.Append(CultureInfo.InvariantCulture, $", headers: [ {string.Join(", ", Enumerable.Range(0, match.Headers).Select(i => $"{{ name: h{i}, value: v }}"))} ]");
            if (match.Query > 0)
                text.Append(CultureInfo.InvariantCulture, $", queryParams: [ {string.Join(", ", Enumerable.Range(0, match.Query).Select(i => $"{{ name: q{i}, value: v }}"))} ]");
            text.Append(CultureInfo.InvariantCulture, $" }} ]\n    filters: [ {{ type: RequestHeaderModifier, requestHeaderModifier: {{ set: [ {{ name: x-match, value: {match.Name} }} ] }} }} ]\n    backendRefs: [ {{ name: payment, port: 80 }} ]\n");
        }

        return text.ToString();
    }

    /// <summary>Whatever is beaten by nobody.</summary>
    private static Match? Model(List<Match> matches, Request request)
    {
        var holding = matches.Where(m => Holds(m, request)).ToList();
        return holding.SingleOrDefault(m => !holding.Exists(other => other != m && Beats(other, m)));
    }

    private static bool Beats(Match a, Match b)
    {
        if (a.Type != b.Type)
            return a.Type == "Exact" || (a.Type == "PathPrefix" && b.Type == "RegularExpression");

        // A trailing slash of a prefix says nothing.
        var (pathA, pathB) = a.Type == "PathPrefix" ? (a.Path.TrimEnd('/'), b.Path.TrimEnd('/')) : (a.Path, b.Path);
        if (pathA.Length != pathB.Length)
            return pathA.Length > pathB.Length;
        if (a.Method is null != b.Method is null)
            return a.Method is not null;
        if (a.Headers != b.Headers)
            return a.Headers > b.Headers;
        if (a.Query != b.Query)
            return a.Query > b.Query;
        if (a.Age != b.Age)
            return a.Age < b.Age;
        return a.Route != b.Route ? string.CompareOrdinal(a.Route, b.Route) < 0 : a.Rule < b.Rule;
    }

    private static bool Holds(Match m, Request request)
    {
        var path = m.Type switch
        {
            "Exact" => request.Path == m.Path,
            "PathPrefix" => (request.Path + "/").StartsWith(m.Path.TrimEnd('/') + "/", StringComparison.Ordinal),
            _ => Regex.IsMatch(request.Path, "^(" + m.Path + ")$", RegexOptions.None, TimeSpan.FromSeconds(5)),
        };
        return path && (m.Method is null || m.Method == request.Method) && m.Headers <= request.Headers && m.Query <= request.Query;
    }

    // What a waypoint does with a match, as plainly as possible.
    private static bool Holds(IReadOnlyCollection<RouteMatch> matches, Request request) => matches.Count == 0 || matches.Any(m =>
        (m.Path is null || m.Path.PatternCase switch
        {
            StringMatch.PatternOneofCase.Exact => request.Path == m.Path.Exact,
            StringMatch.PatternOneofCase.Prefix => request.Path.StartsWith(m.Path.Prefix, StringComparison.Ordinal),
            StringMatch.PatternOneofCase.Regex => Regex.IsMatch(request.Path, "^(" + m.Path.Regex + ")$", RegexOptions.None, TimeSpan.FromSeconds(5)),
            _ => true,
        })
        && (m.PathSeparatedPrefix.Length == 0 || (request.Path + "/").StartsWith(m.PathSeparatedPrefix.TrimEnd('/') + "/", StringComparison.Ordinal))
        && (m.Method is null || m.Method.Exact == request.Method)
        && m.Headers.Count <= request.Headers
        && m.QueryParameters.Count <= request.Query);
}

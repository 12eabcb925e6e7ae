using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Mesh.Testing;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Tests.Routing;

/// <summary>First match wins, against a model that is obviously right; weights by chi-squared.</summary>
public sealed class RouteOrderTests
{
    private static readonly string[] Paths = ["/", "/a", "/a/b", "/ab", "/b", "/b/c"];
    private static readonly string[] Methods = ["GET", "POST"];

    public sealed record Rule(bool IsPrefix, string Path, string? Method, string? Header);

    private static readonly Gen<Rule> Rules =
        from prefix in ArbMap.Default.GeneratorFor<bool>()
        from path in Gen.Elements(Paths)
        from method in Gen.Elements<string?>(null, "GET", "POST")
        from header in Gen.Elements<string?>(null, "1", "2")
        select new Rule(prefix, path, method, header);

    [Property(MaxTest = 200)]
    public Property Match_AnyRulesAndRequest_IsTheFirstRuleThatHolds() => Prop.ForAll(
        Rules.ListOf().ToArbitrary(),
        (from p in Gen.Elements(Paths) from m in Gen.Elements(Methods) from h in Gen.Elements<string?>(null, "1", "2") select (p, m, h)).ToArbitrary(),
        (rules, request) =>
        {
            var port = new V1.ServicePort { Port = 80, DefaultCluster = "d" };
            for (var i = 0; i < rules.Count; i++)
                port.HttpRoutes.Add(ToRoute(rules[i], i));
            var facts = request.h is null ? Requests.Make(request.m, request.p) : Requests.Make(request.m, request.p, headers: ("x-v", request.h));
            var found = new PortRoutes(port, Registry()).Match(facts)?.Route.Name;
            var expected = rules.Count == 0 ? "default" : Model(rules, request.p, request.m, request.h);
            return found == expected;
        });

    [Theory]
    [InlineData(95, 5)]
    [InlineData(3, 1)]
    [InlineData(1, 1)]
    public void WeightedPick_ManyRequests_FollowTheWeights(int first, int second)
    {
        var pick = new WeightedPick<int>([(0, (uint)first), (1, (uint)second)]);
        var random = new Random(17);
        const int Requests = 20_000;
        var counts = new int[2];
        for (var i = 0; i < Requests; i++)
            counts[pick.Pick(random)]++;
        double expectedFirst = Requests * first / (double)(first + second), expectedSecond = Requests - expectedFirst;
        var chiSquared = (Math.Pow(counts[0] - expectedFirst, 2) / expectedFirst) + (Math.Pow(counts[1] - expectedSecond, 2) / expectedSecond);
        Assert.True(chiSquared < 10.83, $"{counts[0]} : {counts[1]} is not {first} : {second} at the 99.9 % level (chi-squared {chiSquared:0.00})");
    }

    [Fact]
    public void WeightedPick_ZeroWeightAmongOthers_IsNeverChosen()
    {
        var pick = new WeightedPick<int>([(0, 0), (1, 7)]);
        Assert.All(Enumerable.Range(0, 100), _ => Assert.Equal(1, pick.Pick(Random.Shared)));
    }

    [Fact]
    public void WeightedPick_SingleDestinationOfWeightZero_GetsEverything() =>
        Assert.Equal(5, new WeightedPick<int>([(5, 0)]).Pick(Random.Shared));

    [Fact]
    public void WeightedPick_AllZero_IsEmpty() => Assert.True(new WeightedPick<int>([(1, 0), (2, 0)]).IsEmpty);

    [Property(MaxTest = 200)]
    public Property Match_ManyRulesOfAnyKind_IsTheFirstThatHoldsAlone() => Prop.ForAll(
        (from rules in Rules.ListOf(40) from kinds in Gen.Choose(0, 4).ListOf(40) select (rules, kinds)).ToArbitrary(),
        (from p in Gen.Elements([.. Paths, "/a/", "/c"]) from m in Gen.Elements(Methods) from h in Gen.Elements<string?>(null, "1", "2") select (p, m, h)).ToArbitrary(),
        (all, request) =>
        {
            var port = new V1.ServicePort { Port = 80, DefaultCluster = "d" };
            for (var i = 0; i < all.rules.Count; i++)
                port.HttpRoutes.Add(Vary(ToRoute(all.rules[i], i), all.kinds[i]));
            var facts = request.h is null ? Requests.Make(request.m, request.p) : Requests.Make(request.m, request.p, headers: ("x-v", request.h));
            var routes = new PortRoutes(port, Registry());
            return routes.Match(facts)?.Route.Name == routes.Routes.FirstOrDefault(r => r.Match(facts) is not null)?.Name;
        });

    private static V1.HttpRoute Vary(V1.HttpRoute route, int kind)
    {
        var match = route.Matches[0];
        var path = match.Path.HasExact ? match.Path.Exact : match.Path.Prefix;
        switch (kind)
        {
            case 1:
                match.Path = new V1.StringMatch { Suffix = path };
                break;
            case 2:
                match.Path = null;
                match.PathSeparatedPrefix = path;
                break;
            case 3:
                match.Path.IgnoreCase = true;
                break;
            case 4:
                route.Matches.Add(new V1.RouteMatch { Path = new V1.StringMatch { Exact = "/c" } });
                break;
        }

        return route;
    }

    private static string? Model(IList<Rule> rules, string path, string method, string? header)
    {
        for (var i = 0; i < rules.Count; i++)
        {
            var rule = rules[i];
            var pathHolds = rule.IsPrefix ? path.StartsWith(rule.Path, StringComparison.Ordinal) : path == rule.Path;
            if (pathHolds && (rule.Method is null || rule.Method == method) && (rule.Header is null || rule.Header == header))
                return $"r{i}";
        }

        return null;
    }

    private static V1.HttpRoute ToRoute(Rule rule, int index)
    {
        var match = new V1.RouteMatch { Path = rule.IsPrefix ? new V1.StringMatch { Prefix = rule.Path } : new V1.StringMatch { Exact = rule.Path } };
        if (rule.Method is not null)
            match.Method = new V1.StringMatch { Exact = rule.Method };
        if (rule.Header is not null)
            match.Headers.Add(new V1.HeaderMatch { Name = "x-v", Value = new V1.StringMatch { Exact = rule.Header } });
        return new V1.HttpRoute { Name = $"r{index}", Matches = { match }, DirectResponse = new V1.DirectResponse { Status = 200 } };
    }

    private static ClusterRegistry Registry() => new(new ManualTimeProvider(), new Random(1));
}

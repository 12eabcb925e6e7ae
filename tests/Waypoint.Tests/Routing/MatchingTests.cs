using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Tests.Routing;

public sealed class MatchingTests
{
    private static V1.StringMatch Exact(string s) => new() { Exact = s };

    private static V1.StringMatch Prefix(string s) => new() { Prefix = s };

    private static V1.StringMatch Regex(string s) => new() { Regex = s };

    [Theory]
    [InlineData("/foo", "/foo", true)]
    [InlineData("/foo", "/foobar", true)]
    [InlineData("/foo", "/foo/bar", true)]
    [InlineData("/foo", "/FOO", false)]
    public void Prefix_OfAVirtualService_IsAPrefixOfCharacters(string prefix, string path, bool expected) =>
        Assert.Equal(expected, new RouteMatcher(new V1.RouteMatch { Path = Prefix(prefix) }).Matches(Requests.Get(path)));

    [Theory]
    [InlineData("/foo", "/foo", true)]
    [InlineData("/foo", "/foo/", true)]
    [InlineData("/foo/", "/foo", true)]
    [InlineData("/foo", "/foo/bar", true)]
    [InlineData("/foo", "/foobar", false)]
    [InlineData("/", "/anything", true)]
    public void PathPrefix_OfAnHttpRoute_IsAPrefixOfSegments(string prefix, string path, bool expected) =>
        Assert.Equal(expected, new RouteMatcher(new V1.RouteMatch { PathSeparatedPrefix = prefix }).Matches(Requests.Get(path)));

    [Theory]
    [InlineData("/a/[0-9]+", "/a/12", true)]
    [InlineData("/a/[0-9]+", "/a/12/x", false)]
    [InlineData("/a/[0-9]+", "/x/a/12", false)]
    [InlineData("(?i)/abc", "/ABC", true)]
    public void Regex_OfAPath_MatchesTheWholeWithoutQuery(string regex, string path, bool expected) =>
        Assert.Equal(expected, new RouteMatcher(new V1.RouteMatch { Path = Regex(regex) }).Matches(Requests.Get(path + "?x=/a/1")));

    [Fact]
    public void Regex_WithBacktrackingOnly_IsRefusedWithItsText()
    {
        var e = Assert.Throws<ConfigurationException>(() => StringMatcher.Compile(Regex("(?=x)y")));
        Assert.Contains("(?=x)y", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gold", "gold", true)]
    [InlineData("gold", "Gold", false)]
    public void Header_Exact_IsCaseSensitiveInItsValueOnly(string wanted, string sent, bool expected)
    {
        var match = new V1.RouteMatch { Headers = { new V1.HeaderMatch { Name = "x-tier", Value = Exact(wanted) } } };
        Assert.Equal(expected, new RouteMatcher(match).Matches(Requests.Get("/", ("X-TIER", sent))));
    }

    [Fact]
    public void Header_SentTwice_IsComparedJoined()
    {
        var match = new V1.RouteMatch { Headers = { new V1.HeaderMatch { Name = "x-tier", Value = Exact("a,b") } } };
        Assert.True(new RouteMatcher(match).Matches(Requests.Get("/", ("x-tier", "a"), ("x-tier", "b"))));
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData("other", true)]
    [InlineData("bad", false)]
    public void WithoutHeader_Value_HoldsForMissingAndOtherValues(string? sent, bool expected)
    {
        var match = new V1.RouteMatch { Headers = { new V1.HeaderMatch { Name = "x-a", Value = Exact("bad"), Invert = true } } };
        var request = sent is null ? Requests.Get("/") : Requests.Get("/", ("x-a", sent));
        Assert.Equal(expected, new RouteMatcher(match).Matches(request));
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData("", false)]
    [InlineData("x", false)]
    public void WithoutHeader_Presence_HoldsOnlyWhereTheHeaderIsMissing(string? sent, bool expected)
    {
        var match = new V1.RouteMatch { Headers = { new V1.HeaderMatch { Name = "x-a", Value = new V1.StringMatch(), Invert = true } } };
        var request = sent is null ? Requests.Get("/") : Requests.Get("/", ("x-a", sent));
        Assert.Equal(expected, new RouteMatcher(match).Matches(request));
    }

    [Theory]
    [InlineData("/?a=1&b=2", true)]
    [InlineData("/?b=2&a=1&a=3", true)]
    [InlineData("/?a=3&a=1&b=2", false)]
    [InlineData("/?a=1", false)]
    [InlineData("/", false)]
    public void Query_RepeatedParameter_FirstCounts(string target, bool expected)
    {
        var match = new V1.RouteMatch
        {
            QueryParameters = { new V1.HeaderMatch { Name = "a", Value = Exact("1") }, new V1.HeaderMatch { Name = "b", Value = new V1.StringMatch { Present = true } } },
        };
        Assert.Equal(expected, new RouteMatcher(match).Matches(Requests.Get(target)));
    }

    [Theory]
    [InlineData("/?flag", true)]
    [InlineData("/?flag=", true)]
    [InlineData("/?flag=x", false)]
    public void Query_ExactEmpty_MatchesWithAndWithoutEqualsSign(string target, bool expected)
    {
        var match = new V1.RouteMatch { QueryParameters = { new V1.HeaderMatch { Name = "flag", Value = Exact(string.Empty) } } };
        Assert.Equal(expected, new RouteMatcher(match).Matches(Requests.Get(target)));
    }

    [Fact]
    public void SourceLabels_OnAWaypoint_NeverMatch()
    {
        var match = new V1.RouteMatch { Path = Prefix("/"), SourceLabels = { ["app"] = "x" } };
        Assert.False(new RouteMatcher(match).Matches(Requests.Get("/")));
    }

    [Theory]
    [InlineData("/a", "/b", "/a/x", "/b/x")]
    [InlineData("/a", "/", "/a/x", "//x")]
    [InlineData("/a/", "/", "/a/x", "/x")]
    public void Rewrite_PrefixOfAVirtualService_ReplacesCharacters(string prefix, string replacement, string path, string expected)
    {
        var match = new RouteMatcher(new V1.RouteMatch { Path = Prefix(prefix) });
        Assert.Equal(expected, RewriteRule.Compile(new V1.Rewrite { Prefix = replacement })!.Path(path, match));
    }

    [Theory]
    [InlineData("/foo", "/xyz", "/foo/bar", "/xyz/bar")]
    [InlineData("/foo", "/xyz/", "/foo/bar", "/xyz/bar")]
    [InlineData("/foo", "/xyz", "/foo", "/xyz")]
    [InlineData("/foo", "/xyz", "/foo/", "/xyz/")]
    [InlineData("/foo", "/", "/foo/bar", "/bar")]
    [InlineData("/foo", "/", "/foo", "/")]
    [InlineData("/foo", "", "/foo/", "/")]
    public void Rewrite_ReplacePrefixMatchOfAnHttpRoute_IsTheTableOfTheSpecification(string prefix, string replacement, string path, string expected)
    {
        var match = new RouteMatcher(new V1.RouteMatch { PathSeparatedPrefix = prefix });
        Assert.Equal(expected, RewriteRule.Compile(new V1.Rewrite { Prefix = replacement })!.Path(path, match));
    }

    [Theory]
    [InlineData("^/service/([^/]+)(/.*)$", @"\2/instance/\1", "/service/foo/v1/api", "/v1/api/instance/foo")]
    [InlineData("one", "two", "/xxx/one/yyy/one/zzz", "/xxx/two/yyy/two/zzz")]
    public void Rewrite_Regex_ReplacesAllWithGroups(string match, string rewrite, string path, string expected)
    {
        var rule = RewriteRule.Compile(new V1.Rewrite { Regex = new V1.RegexRewrite { Match = match, Rewrite = rewrite } })!;
        Assert.Equal(expected, rule.Path(path, RouteMatcher.Always));
    }
}

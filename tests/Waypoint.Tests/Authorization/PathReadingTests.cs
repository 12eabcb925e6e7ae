using System.Text.RegularExpressions;
using Mesh.Waypoint.Authorization;
using Mesh.Waypoint.Tests.Harness;

namespace Mesh.Waypoint.Tests.Authorization;

/// <summary>Policies about paths hold whatever the application makes of a path.</summary>
public sealed class PathReadingTests
{
    private const V1.AuthorizationRules.Types.Action Allow = V1.AuthorizationRules.Types.Action.Allow;
    private const V1.AuthorizationRules.Types.Action Deny = V1.AuthorizationRules.Types.Action.Deny;

    [Theory]
    [InlineData("/public/x", true)]
    [InlineData("/public//x", true)]
    [InlineData("/public/x;v=1", true)]
    [InlineData("/public/a%2Fb", true)]
    [InlineData("/public/100%25", true)]
    [InlineData("/public/..%2Fadmin", false)]
    [InlineData("/public/..%2fadmin", false)]
    [InlineData("/public/%2e%2e/admin", false)]
    [InlineData("/public/%2e%2e%2fadmin", false)]
    [InlineData("/public/%2E./admin", false)]
    [InlineData("/public/..;/admin", false)]
    [InlineData("/public/..;x=1%2fadmin", false)]
    [InlineData("/public/..%5Cadmin", false)]
    [InlineData("/public/../admin", false)]
    [InlineData("/public/%2%65%2%65/admin", false)]
    public void Allow_OnePrefix_NothingElseIsReached(string path, bool expected) => Check(Policies((Allow, "/public/*")), path, expected);

    [Theory]
    [InlineData("/other", true)]
    [InlineData("/other;admin", true)]
    [InlineData("/other/%2e%2e", true)]
    [InlineData("//admin", false)]
    [InlineData("/%2Fadmin", false)]
    [InlineData("/%61dmin", false)]
    [InlineData("/admi%6E/x", false)]
    [InlineData("/;x/admin", false)]
    [InlineData("/.;x/admin", false)]
    [InlineData("/other/../admin", false)]
    [InlineData("/other%2F..%2Fadmin", false)]
    [InlineData("/%2%46admin", false)]
    [InlineData("/\\admin", false)]
    public void Deny_OnePrefix_IsNotPassedBy(string path, bool expected) => Check(Policies((Deny, "/admin*")), path, expected);

    [Fact]
    public void PolicyWithoutPaths_ReadsNothingTwice()
    {
        var set = new PolicySet([Compile(Allow, new V1.Operation { Methods = { "GET" } })], []);
        Assert.True(set.EvaluateReadings(Requests.Facts(Requests.Get("//a/%2e%2e/;x"))).IsAllowed);
    }

    [Fact]
    public void ManyReadings_AreRefusedNotFollowed()
    {
        var path = "/" + string.Concat(Enumerable.Range(0, 400).Select(i => $"/;{i}%2{(i % 2 == 0 ? "%46" : "f")}..%2%65\\"));
        var verdict = Policies((Deny, "/admin*")).EvaluateReadings(Requests.Facts(Requests.Get(path)));
        Assert.True((PathReadings.Of(path)?.Count ?? 0) <= PathReadings.Most);
        Assert.True(verdict.IsAllowed || verdict.Details == Verdict.AmbiguousPath);
    }

    [Fact]
    public void AnyPathAndPolicies_VerdictIsThatOfTheStrictestReading()
    {
        string[] pieces = ["/", "/", "/", "a", "admin", "public", "%2F", "%2e", ".", "..", ";x", "\\", "%61", "%5C", "//", "/../", "%2%46"];
        string[] patterns = ["/a", "/admin*", "/public/*", "/a/*", "*admin", "/public", "/"];
        var random = new Random(2026);
        var (refused, allowed) = (0, 0);
        for (var n = 0; n < 3000; n++)
        {
            var path = "/" + string.Concat(Enumerable.Range(0, random.Next(1, 8)).Select(_ => pieces[random.Next(pieces.Length)]));
            var denied = patterns.Where(_ => random.Next(4) == 0).ToArray();
            var allows = random.Next(3) > 0 ? [] : patterns.Where(_ => random.Next(2) == 0).ToArray();
            var set = Policies([.. denied.Select(p => (Deny, p)), .. allows.Select(p => (Allow, p))]);
            var readings = SlowReadings(path);
            var expected = (denied.Length + allows.Length == 0 || readings.Count <= PathReadings.Most)
                && readings.All(r => !denied.Any(p => SlowMatch(p, r)) && (allows.Length == 0 || allows.Any(p => SlowMatch(p, r))));
            var verdict = set.EvaluateReadings(Requests.Facts(Requests.Get(path)));
            Assert.True(expected == verdict.IsAllowed, $"{path}: {verdict}; deny {string.Join(' ', denied)}, allow {string.Join(' ', allows)}; {string.Join("  ", readings)}");
            Assert.Equal(verdict.Details == Verdict.AmbiguousPath, !verdict.IsAllowed && set.Evaluate(Requests.Facts(Requests.Get(path))).IsAllowed);
            refused += verdict.Details == Verdict.AmbiguousPath ? 1 : 0;
            allowed += verdict.IsAllowed ? 1 : 0;
        }

        Assert.True(refused > 100 && allowed > 100, $"{refused} ambiguous and {allowed} allowed paths test nothing");
    }

    [Fact]
    public async Task Request_WithTwoReadings_Is403WithItsReasonInTheRecord()
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await OneService.StartAsync([origin.Port], policies: Policy(Deny, "/admin*"));
        Assert.StartsWith("HTTP/1.1 200", await mesh.RawAsync(Get("/x//y")), StringComparison.Ordinal);
        await mesh.Waypoint.NextReportAsync();
        var answer = await mesh.RawAsync(Get("//admin/keys"));
        Assert.StartsWith("HTTP/1.1 403", answer, StringComparison.Ordinal);
        Assert.EndsWith("RBAC: access denied", answer, StringComparison.Ordinal);
        Assert.Equal("ambiguous_path", (await mesh.Waypoint.NextReportAsync()).Details);
        var decision = mesh.Waypoint.Decisions.Ring.Newest().First();
        Assert.Equal("denied_by_policy", decision.Ending);
        Assert.StartsWith("the application may read the path as /admin/keys: rbac_access_denied_matched_policy", decision.Steps[0], StringComparison.Ordinal);
        Assert.Equal(1, origin.Count);
    }

    [Fact]
    public async Task Setting_OfIstiosBehaviour_JudgesThePathAsForwarded()
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await OneService.StartAsync([origin.Port], waypoint: new TestWaypoint(refuseAmbiguousPaths: false), policies: Policy(Deny, "/admin*"));
        Assert.StartsWith("HTTP/1.1 200", await mesh.RawAsync(Get("//admin/keys")), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 403", await mesh.RawAsync(Get("/admin/keys")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Custom_AuthorizerThatWouldBeAskedForAnotherReading_IsNotPassedBy()
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await OneService.StartAsync([origin.Port], policies: Policy(V1.AuthorizationRules.Types.Action.Custom, "/admin*"));
        Assert.StartsWith("HTTP/1.1 200", await mesh.RawAsync(Get("/x//y")), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 403", await mesh.RawAsync(Get("//admin")), StringComparison.Ordinal);
        await mesh.Waypoint.NextReportAsync();
        Assert.Equal("ambiguous_path", (await mesh.Waypoint.NextReportAsync()).Details);
        Assert.Equal(1, origin.Count);
    }

    private static string Get(string path) => $"GET {path} HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n";

    private static void Check(PolicySet set, string path, bool expected)
    {
        var verdict = set.EvaluateReadings(Requests.Facts(Requests.Get(path)));
        Assert.True(expected == verdict.IsAllowed, $"{path}: {verdict}");
    }

    private static PolicySet Policies(params (V1.AuthorizationRules.Types.Action Action, string Path)[] policies) =>
        new([.. policies.Select(p => Compile(p.Action, new V1.Operation { Paths = { p.Path } }))], []);

    private static CompiledPolicy Compile(V1.AuthorizationRules.Types.Action action, V1.Operation operation)
    {
        var policy = new V1.RequestPolicy { Name = $"AuthorizationPolicy/shop/{action}", Namespace = "shop", Authorization = new V1.AuthorizationRules { Action = action } };
        policy.Authorization.Rules.Add(new V1.AuthorizationRule { To = { operation } });
        return new CompiledPolicy(policy.Name, new AuthorizationRuleSet(policy), null);
    }

    private static V1.RequestPolicy Policy(V1.AuthorizationRules.Types.Action action, string path) => new()
    {
        Name = "AuthorizationPolicy/shop/p",
        Namespace = "shop",
        Authorization = new V1.AuthorizationRules { Action = action, Rules = { new V1.AuthorizationRule { To = { new V1.Operation { Paths = { path } } } } } },
    };

    private static bool SlowMatch(string pattern, string path) =>
        Regex.IsMatch(path, "^" + Regex.Escape(pattern).Replace("\\*", ".*", StringComparison.Ordinal) + "$", RegexOptions.Singleline, TimeSpan.FromSeconds(5));

    /// <summary>Every order of every step until nothing new comes.</summary>
    private static HashSet<string> SlowReadings(string path)
    {
        var found = new HashSet<string>(StringComparer.Ordinal) { path };
        while (true)
        {
            var more = found.SelectMany(p => new[]
            {
                Replace(p, "/+", "/"),
                Replace(Replace(p, "%2[Ff]", "/"), "%5[Cc]", "\\"),
                Replace(p, "%(2[DdEe]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9AaEe])", m => ((char)Convert.ToInt32(m.Groups[1].Value, 16)).ToString()).Replace('\\', '/'),
                p.Replace('\\', '/'),
                Replace(p, ";[^/]*", string.Empty),
                SlowDots(p),
            }).Where(p => !found.Contains(p)).ToList();
            if (more.Count == 0)
                return found;
            found.UnionWith(more);
        }
    }

    // One dot segment after the other from the left, "..;x" counting as one.
    private static string SlowDots(string path)
    {
        for (var before = string.Empty; before != path;)
        {
            before = path;
            var dots = Regex.Match(path, @"/(\.\.?)(;[^/]*)?(/|$)", RegexOptions.None, TimeSpan.FromSeconds(5));
            if (!dots.Success)
                break;
            var head = path[..dots.Index];
            if (dots.Groups[1].Value == "..")
                head = head.LastIndexOf('/') is >= 0 and var slash ? head[..slash] : string.Empty;
            path = head + "/" + path[(dots.Index + dots.Length)..];
        }

        return path;
    }

    private static string Replace(string text, string pattern, string with) => Regex.Replace(text, pattern, with, RegexOptions.None, TimeSpan.FromSeconds(5));

    private static string Replace(string text, string pattern, MatchEvaluator with) => Regex.Replace(text, pattern, with, RegexOptions.None, TimeSpan.FromSeconds(5));
}

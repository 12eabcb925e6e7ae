using System.Text;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Authorization;

/// <summary>Tokens through the whole data path: where they are found, what becomes of them, and claims in routes, rules and headers.</summary>
public sealed class JwtTests : IAsyncLifetime
{
    private const string Claims = """{"group":["dev","ops"],"plan":"gold","nested":{"team":"red","deep.er":"x"},"scope":"read write","roles":"a b","n":7,"yes":true}""";
    private TestIssuer _issuer = null!;
    private Origin _origin = null!;

    public async Task InitializeAsync()
    {
        _issuer = await TestIssuer.StartAsync("one");
        _origin = await Origin.StartAsync(http => http.Response.WriteAsync(
            string.Join('\n', http.Request.Headers.Select(h => $"{h.Key.ToLowerInvariant()}: {h.Value}").Append($"query: {http.Request.QueryString}"))));
    }

    public async Task DisposeAsync()
    {
        await _origin.DisposeAsync();
        await _issuer.DisposeAsync();
    }

    [Theory]
    [InlineData("@request.auth.claims.plan", "gold", false, "claim")]
    [InlineData("@request.auth.claims.plan", "silver", false, "other")]
    [InlineData("@request.auth.claims.group", "ops", false, "claim")]
    [InlineData("@request.auth.claims.group", "op", false, "other")]
    [InlineData("@request.auth.claims.nested.team", "red", false, "claim")]
    [InlineData("@request.auth.claims[nested][deep.er]", "x", false, "claim")]
    [InlineData("@request.auth.claims[nested][team]", "blue", false, "other")]
    [InlineData("@request.auth.claims.scope", "write", false, "claim")]
    [InlineData("@request.auth.claims.roles", "b", false, "claim")]
    [InlineData("@request.auth.claims.plan", "gold", true, "other")]
    [InlineData("@request.auth.claims.plan", "silver", true, "claim")]
    [InlineData("@request.auth.claims.n", null, false, "claim")]
    [InlineData("@request.auth.claims.nothing", null, false, "other")]
    [InlineData("@request.auth.claims.nothing", null, true, "claim")]
    public async Task Route_ByAClaim_IsChosenWhenTheTokenWasVerified(string name, string? value, bool invert, string expected)
    {
        await using var mesh = await ClaimRouteAsync(new V1.HeaderMatch { Name = name, Value = value is null ? new V1.StringMatch { Present = true } : new V1.StringMatch { Exact = value }, Invert = invert });
        Assert.Equal(expected, await mesh.TextAsync("/", ("Authorization", "Bearer " + _issuer.Token("one", Claims))));
    }

    [Fact]
    public async Task Route_ByAClaim_NeedsAValidToken()
    {
        await using var mesh = await ClaimRouteAsync(new V1.HeaderMatch { Name = "@request.auth.claims.plan", Value = new V1.StringMatch { Exact = "gold" } });
        Assert.Equal("other", await mesh.TextAsync("/"));
        Assert.Equal("other", await mesh.TextAsync("/", ("Authorization", "Basic eDp5")));
        using var response = await mesh.GetAsync("/", ("Authorization", "Bearer " + _issuer.Token("unpublished", Claims)));
        Assert.Equal(401, (int)response.StatusCode);

        // The token decides: a header of that name says nothing.
        Assert.EndsWith("other", await mesh.RawAsync("GET / HTTP/1.1\r\nHost: orders\r\n@request.auth.claims.plan: gold\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("@request.auth.claims")]
    [InlineData("@request.auth.claims.")]
    [InlineData("@request.auth.claims[]")]
    [InlineData("@request.auth.claims.a..b")]
    public void Route_WithoutAClaimsName_IsRefused(string name) =>
        Assert.Throws<ConfigurationException>(() => new Mesh.Waypoint.Routing.RouteMatcher(new V1.RouteMatch { Headers = { new V1.HeaderMatch { Name = name } } }));

    [Fact]
    public async Task Output_PayloadAndClaims_BecomeHeaders_AndNobodyElseCanWriteThem()
    {
        await using var mesh = await StartAsync(r =>
        {
            r.OutputPayloadToHeader = "x-payload";
            r.OutputClaimToHeaders.AddRange(
            [
                new V1.ClaimToHeader { Header = "x-plan", Claim = "plan" },
                new V1.ClaimToHeader { Header = "x-team", Claim = "nested.team" },
                new V1.ClaimToHeader { Header = "x-n", Claim = "n" },
                new V1.ClaimToHeader { Header = "x-yes", Claim = "yes" },
                new V1.ClaimToHeader { Header = "x-group", Claim = "group" },
                new V1.ClaimToHeader { Header = "x-none", Claim = "none" },
                new V1.ClaimToHeader { Header = "x-evil", Claim = "evil" },
                new V1.ClaimToHeader { Header = "x-evil-too", Claim = "bell" },
            ]);
        });
        var token = _issuer.Token("one", Claims.Replace("\"n\":7", "\"n\":7,\"evil\":\"a\\r\\nx-admin: 1\",\"bell\":\"a\\u0007b\"", StringComparison.Ordinal));
        var seen = (await mesh.TextAsync("/", ("Authorization", $"Bearer {token}"), ("x-none", "forged"), ("x-plan", "forged"))).Split('\n');
        Assert.Contains($"x-payload: {token.Split('.')[1]}", seen);
        Assert.Contains("x-plan: gold", seen);
        Assert.Contains("x-team: red", seen);
        Assert.Contains("x-n: 7", seen);
        Assert.Contains("x-yes: true", seen);
        Assert.Contains($"x-group: {Convert.ToBase64String(Encoding.UTF8.GetBytes("""["dev","ops"]"""))}", seen);
        Assert.DoesNotContain(seen, l => l.StartsWith("x-none", StringComparison.Ordinal) || l.StartsWith("x-evil", StringComparison.Ordinal) || l.StartsWith("x-admin", StringComparison.Ordinal));
        Assert.DoesNotContain(seen, l => l.StartsWith("authorization", StringComparison.Ordinal));

        // Without a token, too.
        Assert.DoesNotContain("forged", await mesh.TextAsync("/", ("x-payload", "forged"), ("x-plan", "forged")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task OriginalToken_IsForwardedOnlyWhereTheRuleSaysSo()
    {
        var token = _issuer.Token("one");
        await using (var kept = await StartAsync(r => r.ForwardOriginalToken = true))
            Assert.Contains($"authorization: Bearer {token}", await kept.TextAsync("/", ("Authorization", $"Bearer {token}")), StringComparison.Ordinal);
        await using var removed = await StartAsync(_ => { });
        Assert.DoesNotContain(token, await removed.TextAsync("/", ("Authorization", $"Bearer {token}")), StringComparison.Ordinal);
        var seen = await removed.TextAsync($"/?a=1&access_token={token}&b=2");
        Assert.Contains("query: ?a=1&b=2", seen, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Places_OfTheRule_AreTheOnlyOnes()
    {
        await using var mesh = await StartAsync(
            r =>
            {
                r.FromHeaders.Add(new V1.JwtLocation { Name = "x-jwt", Prefix = "Token " });
                r.FromParams.Add("t");
                r.FromCookies.Add("session");
            },
            required: true);
        var token = _issuer.Token("one");

        async Task<int> StatusAsync(string path, params (string Name, string Value)[] headers)
        {
            using var response = await mesh.GetAsync(path, headers);
            return (int)response.StatusCode;
        }

        Assert.Equal(200, await StatusAsync("/", ("x-jwt", $"Token {token}")));
        Assert.Equal(200, await StatusAsync($"/?t={token}"));
        Assert.Equal(200, await StatusAsync("/", ("Cookie", $"a=b; session={token}")));
        Assert.Equal(403, await StatusAsync("/", ("Authorization", $"Bearer {token}")));
        Assert.Equal(403, await StatusAsync($"/?access_token={token}"));
        Assert.Equal(401, await StatusAsync("/?t=garbage"));
        Assert.Equal(401, await StatusAsync("/", ("Cookie", "session=")));
    }

    [Theory]
    [InlineData("request.auth.claims[group]", "ops", 200)]
    [InlineData("request.auth.claims[group]", "qa", 403)]
    [InlineData("request.auth.claims[nested][team]", "red", 200)]
    [InlineData("request.auth.claims[scope]", "read", 200)]
    [InlineData("request.auth.claims[roles]", "a", 200)]
    [InlineData("request.auth.claims[n]", "7", 403)]
    public async Task Rule_AboutAClaim_Decides(string key, string value, int expected)
    {
        var allow = new V1.RequestPolicy
        {
            Name = "AuthorizationPolicy/shop/allow",
            Namespace = "shop",
            Authorization = new V1.AuthorizationRules { Rules = { new V1.AuthorizationRule { When = { new V1.Condition { Key = key, Values = { value } } } } } },
        };
        await using var mesh = await OneService.StartAsync([_origin.Port], waypoint: Waypoint(), policies: [_issuer.Policy(r => r.SpaceDelimitedClaims.Add("roles")), allow]);
        using var response = await mesh.GetAsync("/", ("Authorization", "Bearer " + _issuer.Token("one", Claims)));
        Assert.Equal(expected, (int)response.StatusCode);
    }

    [Theory]
    [InlineData("bearer {0}", 200)]
    [InlineData("BEARER {0}", 200)]
    [InlineData("Bearer", 401)]
    [InlineData("bearer ", 401)]
    [InlineData("Bearer garbage", 401)]
    [InlineData("Bearer {0} more", 401)]
    [InlineData("Basic eDp5", 200)]
    public async Task Bearer_InAnyCase_IsAToken_AndAnEmptyOrGarbledOneIsABadOne(string value, int expected)
    {
        await using var mesh = await StartAsync(_ => { });
        using var response = await mesh.GetAsync("/x?access=secret", ("Authorization", value.Replace("{0}", _issuer.Token("one"), StringComparison.Ordinal)));
        Assert.Equal(expected, (int)response.StatusCode);
        if (expected != 401)
            return;
        var challenge = response.Headers.WwwAuthenticate.ToString();
        Assert.StartsWith("Bearer realm=\"http://", challenge, StringComparison.Ordinal);
        Assert.Contains("/x\"", challenge, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", challenge, StringComparison.Ordinal);
    }

    private static TestWaypoint Waypoint() => new(keys: TestIssuer.FetchAsync);

    private Task<OneService> StartAsync(Action<V1.JwtRule> change, bool required = false)
    {
        var allow = new V1.RequestPolicy
        {
            Name = "AuthorizationPolicy/shop/allow",
            Namespace = "shop",
            Authorization = new V1.AuthorizationRules { Rules = { new V1.AuthorizationRule { From = { new V1.Source { RequestPrincipals = { "*" } } } } } },
        };
        return OneService.StartAsync([_origin.Port], waypoint: Waypoint(), policies: required ? [_issuer.Policy(change), allow] : [_issuer.Policy(change)]);
    }

    private Task<OneService> ClaimRouteAsync(V1.HeaderMatch match) => OneService.StartAsync(
        [_origin.Port],
        port =>
        {
            port.HttpRoutes.Add(new V1.HttpRoute { Name = "claim", Matches = { new V1.RouteMatch { Headers = { match } } }, DirectResponse = new V1.DirectResponse { Status = 200, Body = Google.Protobuf.ByteString.CopyFromUtf8("claim") } });
            port.HttpRoutes.Add(new V1.HttpRoute { Name = "other", DirectResponse = new V1.DirectResponse { Status = 200, Body = Google.Protobuf.ByteString.CopyFromUtf8("other") } });
        },
        waypoint: Waypoint(),
        policies: _issuer.Policy(r => r.SpaceDelimitedClaims.Add("roles")));
}

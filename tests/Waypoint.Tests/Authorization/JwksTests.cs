using Mesh.Testing;
using Mesh.Waypoint.Authorization;
using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Tests.Authorization;

/// <summary>Keys of an issuer over real HTTP: fetched, kept, rotated, and what happens while the issuer is away.</summary>
public sealed class JwksTests : IAsyncLifetime
{
    private readonly ManualTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly List<string> _failures = [];
    private TestIssuer _issuer = null!;
    private JwtAuthenticator _authenticator = null!;

    public async Task InitializeAsync()
    {
        _issuer = await TestIssuer.StartAsync("one");
        _authenticator = new JwtAuthenticator(
            new JwksCache(TestIssuer.FetchAsync, _time, (_, failure) =>
            {
                lock (_failures)
                    _failures.Add(failure);
            }),
            _time);
    }

    public async Task DisposeAsync() => await _issuer.DisposeAsync();

    [Fact]
    public async Task Keys_ManyRequestsAtOnce_AreFetchedOnce()
    {
        var results = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => CheckAsync(_issuer.Token("one"))));
        Assert.All(results, r => Assert.Equal((0, null), (r.Status, r.Reason)));
        Assert.Equal(1, _issuer.Fetches);
    }

    [Fact]
    public async Task Rotation_ANewKeysName_CausesOneFetchInItsInterval()
    {
        Assert.Equal(0, (await CheckAsync(_issuer.Token("one"))).Status);
        _issuer.Publish("two");
        _time.Advance(JwksCache.UnknownKeyInterval);
        Assert.Equal(0, (await CheckAsync(_issuer.Token("two"))).Status);
        Assert.Equal(2, _issuer.Fetches);

        // The old key is gone with the set that had it; whoever invents names does not make us ask again and again.
        foreach (var kid in (string[])["one", "x1", "x2", "x3"])
            Assert.Equal((401, "Jwks doesn't have key to match kid or alg from Jwt"), Said(await CheckAsync(_issuer.Token(kid))));
        Assert.Equal(2, _issuer.Fetches);
        _time.Advance(JwksCache.UnknownKeyInterval);
        await Task.WhenAll(Enumerable.Range(0, 10).Select(i => CheckAsync(_issuer.Token($"y{i}"))));
        Assert.Equal(3, _issuer.Fetches);
    }

    [Theory]
    [InlineData("hang")]
    [InlineData("")]
    [InlineData("<html>")]
    [InlineData("{}")]
    [InlineData("""{"keys":[]}""")]
    public async Task Issuer_AwayOrTalkingNonsense_LastGoodKeysServeWithoutWaiting(string trouble)
    {
        Assert.Equal(0, (await CheckAsync(_issuer.Token("one"))).Status);
        _issuer.Trouble = trouble;
        for (var i = 0; i < 3; i++)
        {
            _time.Advance(JwksCache.Fresh);

            // Nothing moves the clock meanwhile: a request that waited for the issuer would never end.
            Assert.Equal(0, (await CheckAsync(_issuer.Token("one"))).Status);
        }

        // It is back with another key; a token that names it waits for the fetch.
        _issuer.Publish("two");
        _issuer.Trouble = null;
        _time.Advance(JwksCache.Fresh);
        var patience = new PatientLoop();
        while ((await CheckAsync(_issuer.Token("two"))).Status != 0)
        {
            await patience.NextAsync();
            _time.Advance(JwksCache.UnknownKeyInterval);
        }
    }

    [Theory]
    [InlineData("", "500")]
    [InlineData("<html>", "IDX10805")]
    [InlineData("{}", "it has no keys")]
    public async Task FirstFetch_Fails_TokensAreRefusedAndRequestsWithoutPass(string trouble, string reason)
    {
        _issuer.Trouble = trouble;
        var refused = await CheckAsync(_issuer.Token("one"));
        Assert.Equal((401, "Jwks remote fetch is failed"), Said(refused));
        Assert.Contains(reason, refused.Failure, StringComparison.Ordinal);
        Assert.Contains(_issuer.JwksUri, refused.Failure, StringComparison.Ordinal);
        Assert.Equal(refused.Failure, Assert.Single(_failures));
        Assert.Equal(0, (await CheckAsync(null)).Status);

        // It is not asked again for a while, then it is.
        _issuer.Trouble = null;
        Assert.Equal(401, (await CheckAsync(_issuer.Token("one"))).Status);
        Assert.Equal(1, _issuer.Fetches);
        _time.Advance(JwksCache.RetryAfter);
        Assert.Equal(0, (await CheckAsync(_issuer.Token("one"))).Status);
    }

    [Fact]
    public async Task FirstFetch_WithoutAnswer_EndsAtTheRulesTimeout()
    {
        _issuer.Trouble = "hang";
        var pending = CheckAsync(_issuer.Token("one"));
        await _time.TimerIsSetAsync(TimeSpan.FromSeconds(5));
        Assert.False(pending.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(5));
        var refused = await pending;
        Assert.Equal((401, "Jwks remote fetch is failed"), Said(refused));
        Assert.EndsWith("no answer in time", refused.Failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RuleWithoutKeys_FindsThemByTheIssuersOpenIdConfiguration()
    {
        Assert.Equal(0, (await CheckAsync(_issuer.Token("one"), r => r.JwksUri = string.Empty)).Status);
        Assert.Equal(1, _issuer.Fetches);
    }

    [Fact]
    public async Task Address_ThatIsNoUrl_IsRefusedNotOpened()
    {
        var refused = await CheckAsync(_issuer.Token("one"), r => r.JwksUri = "file:///etc/hostname");
        Assert.Equal((401, "Jwks remote fetch is failed"), Said(refused));
    }

    [Fact]
    public async Task RuleWithoutIssuer_TakesTokensOfAnyIssuerWithItsKeys() =>
        Assert.Equal(0, (await CheckAsync(_issuer.Token("one", """{"iss":"somebody"}"""), r => r.Issuer = string.Empty)).Status);

    [Fact]
    public async Task TokenThatWasVerified_IsLookedAtAgain_ForItsTimesAndItsKeys()
    {
        var rules = JwtRule.InOrder([new JwtPolicy(_issuer.Policy(null))]);
        var token = _issuer.Token("one", validFor: TimeSpan.FromHours(10));
        Assert.Equal((0, null), Said(await CheckAsync(token, rules)));
        Assert.NotNull(rules[0].Verified.Find(token));
        var again = await CheckAsync(token, rules);
        Assert.Equal("alice", again.Claims!.Text("sub"));

        // The key is taken back: what it has signed is worth nothing from the next fetch on.
        _issuer.Publish("two");
        _time.Advance(JwksCache.UnknownKeyInterval);
        Assert.Equal(0, (await CheckAsync(_issuer.Token("two"), rules)).Status);
        Assert.Equal((401, "Jwks doesn't have key to match kid or alg from Jwt"), Said(await CheckAsync(token, rules)));

        var later = _issuer.Token("two", validFor: TimeSpan.FromHours(10));
        Assert.Equal(0, (await CheckAsync(later, rules)).Status);
        _time.Advance(TimeSpan.FromHours(11));
        Assert.Equal((401, "Jwt is expired"), Said(await CheckAsync(later, rules)));
    }

    [Fact]
    public void VerifiedTokens_OfManyClients_AreForgotten_NotCollected()
    {
        var tokens = new VerifiedTokens();
        var known = new VerifiedToken(JwtResult.NoToken, default, new Microsoft.IdentityModel.Tokens.JsonWebKeySet(), null, null);
        for (var i = 0; i < 3000; i++)
            tokens.Add(i.ToString("d6", System.Globalization.CultureInfo.InvariantCulture) + new string('x', 994), known);
        Assert.Null(tokens.Find("000000" + new string('x', 994)));
        Assert.NotNull(tokens.Find("002999" + new string('x', 994)));
        tokens.Add(new string('y', 100_000), known);
        Assert.Null(tokens.Find(new string('y', 100_000)));
    }

    private async Task<JwtResult> CheckAsync(string token, JwtRule[] rules) =>
        await _authenticator.AuthenticateAsync(rules, Requests.Get("/", ("Authorization", $"Bearer {token}")), new TokenRemoval(), CancellationToken.None);

    private static (int Status, string? Reason) Said(JwtResult result) => (result.Status, result.Reason);

    private async Task<JwtResult> CheckAsync(string? token, Action<V1.JwtRule>? change = null)
    {
        var request = token is null ? Requests.Get("/") : Requests.Get("/", ("Authorization", $"Bearer {token}"));
        return await _authenticator.AuthenticateAsync(JwtRule.InOrder([new JwtPolicy(_issuer.Policy(change))]), request, new TokenRemoval(), CancellationToken.None);
    }

    /// <summary>Fails instead of trying for ever.</summary>
    private sealed class PatientLoop
    {
        private int _turns;

        public async Task NextAsync()
        {
            Assert.True(++_turns < 200, "it does not come");
            await Task.Delay(20);
        }
    }
}

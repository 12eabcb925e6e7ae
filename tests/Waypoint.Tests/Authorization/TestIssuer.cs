using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Mesh.Waypoint.Tests.Authorization;

/// <summary>An issuer with its keys behind a real HTTP server, which can behave badly.</summary>
internal sealed class TestIssuer : IAsyncDisposable
{
    private static readonly HttpClient Client = new();
    private readonly Dictionary<string, ECDsaSecurityKey> _keys = [];
    private Origin _origin = null!;
    private volatile string[] _published = [];

    public string Name { get; private set; } = string.Empty;

    public string JwksUri => $"http://127.0.0.1:{_origin.Port}/keys";

    /// <summary>How often the keys were asked for.</summary>
    public int Fetches => _fetches;

    private int _fetches;

    /// <summary>Null: the keys; "hang": nothing comes; else this is the answer's body, with status 500 where it is empty.</summary>
    public volatile string? Trouble;

    public static async Task<TestIssuer> StartAsync(params string[] kids)
    {
        var issuer = new TestIssuer();
        issuer._origin = await Origin.StartAsync(issuer.ServeAsync);
        issuer.Name = $"http://127.0.0.1:{issuer._origin.Port}";
        issuer.Publish(kids);
        return issuer;
    }

    public static Task<string> FetchAsync(Uri address, CancellationToken cancellation) => Client.GetStringAsync(address, cancellation);

    public void Publish(params string[] kids)
    {
        foreach (var kid in kids)
            KeyOf(kid);
        _published = kids;
    }

    public string Token(string kid, string claims = "{}", TimeSpan? validFor = null)
    {
        var payload = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(claims)!;
        payload.TryAdd("iss", JsonSerializer.SerializeToElement(Name));
        payload.TryAdd("sub", JsonSerializer.SerializeToElement("alice"));
        payload["exp"] = JsonSerializer.SerializeToElement(DateTimeOffset.UtcNow.Add(validFor ?? TimeSpan.FromDays(300)).ToUnixTimeSeconds());
        return new JsonWebTokenHandler().CreateToken(JsonSerializer.Serialize(payload), new SigningCredentials(KeyOf(kid), SecurityAlgorithms.EcdsaSha256));
    }

    public V1.JwtRule Rule(Action<V1.JwtRule>? change = null)
    {
        var rule = new V1.JwtRule { Issuer = Name, JwksUri = JwksUri, Timeout = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromSeconds(5)) };
        change?.Invoke(rule);
        return rule;
    }

    public V1.RequestPolicy Policy(Action<V1.JwtRule>? change = null) =>
        new() { Name = "RequestAuthentication/shop/jwt", Namespace = "shop", Jwt = new V1.JwtRules { Rules = { Rule(change) } } };

    public async ValueTask DisposeAsync()
    {
        await _origin.DisposeAsync();
        foreach (var key in _keys.Values)
            key.ECDsa.Dispose();
    }

    private ECDsaSecurityKey KeyOf(string kid)
    {
        lock (_keys)
        {
            if (!_keys.TryGetValue(kid, out var key))
                _keys[kid] = key = new ECDsaSecurityKey(ECDsa.Create(ECCurve.NamedCurves.nistP256)) { KeyId = kid };
            return key;
        }
    }

    private async Task ServeAsync(HttpContext http)
    {
        if (http.Request.Path == "/.well-known/openid-configuration")
        {
            await http.Response.WriteAsync($$"""{"issuer":"{{Name}}","jwks_uri":"{{JwksUri}}"}""");
            return;
        }

        Interlocked.Increment(ref _fetches);
        switch (Trouble)
        {
            case null:
                await http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(new { keys = _published.Select(Public) })));
                break;
            case "hang":
                var gone = new TaskCompletionSource();
                await using (http.RequestAborted.Register(gone.SetResult))
                    await gone.Task;
                break;
            case "":
                http.Response.StatusCode = 500;
                break;
            default:
                await http.Response.WriteAsync(Trouble);
                break;
        }
    }

    private object Public(string kid)
    {
        var point = KeyOf(kid).ECDsa.ExportParameters(includePrivateParameters: false).Q;
        return new { kty = "EC", crv = "P-256", kid, use = "sig", x = Base64UrlEncoder.Encode(point.X), y = Base64UrlEncoder.Encode(point.Y) };
    }
}

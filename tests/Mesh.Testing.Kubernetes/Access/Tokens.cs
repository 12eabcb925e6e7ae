using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes.Storage;

namespace Mesh.Testing.Kubernetes.Access;

/// <summary>Who makes a request.</summary>
public sealed record ApiUser(string Name, IReadOnlyList<string> Groups)
{
    public static readonly ApiUser Anonymous = new("system:anonymous", ["system:unauthenticated"]);

    /// <summary>Facts about a service account's token: lists of texts.</summary>
    public IReadOnlyDictionary<string, string> Extra { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    public string Uid { get; init; } = string.Empty;
}

/// <summary>Tokens that were given names, and service-account tokens that the server signs itself.</summary>
public sealed class Tokens(ApiStore store, TimeProvider time)
{
    public const string ApiAudience = "https://kubernetes.default.svc";
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private readonly System.Collections.Concurrent.ConcurrentDictionary<string, ApiUser> _named = new(StringComparer.Ordinal);

    public void Add(string token, ApiUser user) => _named[token] = user;

    public void Remove(string token) => _named.TryRemove(token, out _);

    public string Issue(string ns, string account, IReadOnlyList<string> audiences, TimeSpan life, string? pod = null)
    {
        ArgumentNullException.ThrowIfNull(audiences);
        var now = time.GetUtcNow();
        var facts = new JsonObject { ["namespace"] = ns, ["serviceaccount"] = new JsonObject { ["name"] = account, ["uid"] = store.Find("", "serviceaccounts", ns, account)?.Uid ?? "" } };
        if (pod is not null && store.Find("", "pods", ns, pod) is { } bound)
        {
            facts["pod"] = new JsonObject { ["name"] = pod, ["uid"] = bound.Uid };
            if ((string?)bound.Body["spec"]?["nodeName"] is { } node)
                facts["node"] = new JsonObject { ["name"] = node };
        }
        var claims = new JsonObject
        {
            ["aud"] = new JsonArray([.. audiences.Select(a => (JsonNode)a)]),
            ["exp"] = (now + life).ToUnixTimeSeconds(),
            ["iat"] = now.ToUnixTimeSeconds(),
            ["iss"] = ApiAudience,
            ["jti"] = Guid.NewGuid().ToString(),
            ["kubernetes.io"] = facts,
            ["sub"] = $"system:serviceaccount:{ns}:{account}",
        };
        var text = $"{Base64Url.EncodeToString("""{"alg":"HS256","kid":"fake"}"""u8)}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims.ToJsonString()))}";
        return $"{text}.{Base64Url.EncodeToString(HMACSHA256.HashData(_key, Encoding.ASCII.GetBytes(text)))}";
    }

    /// <summary>The user with the audiences the token is good for, or the reason why not.</summary>
    public (ApiUser? User, IReadOnlyList<string> Audiences, string Error) Verify(string token, IReadOnlyList<string> audiences)
    {
        ArgumentNullException.ThrowIfNull(token);
        ArgumentNullException.ThrowIfNull(audiences);
        if (_named.TryGetValue(token, out var named))
            return (named, audiences.Count == 0 ? [ApiAudience] : [.. audiences.Where(a => a == ApiAudience)], "");
        var parts = token.Split('.');
        if (parts.Length != 3 || !Base64Url.IsValid(parts[1]) || !Base64Url.IsValid(parts[2])
            || !CryptographicOperations.FixedTimeEquals(Base64Url.DecodeFromChars(parts[2]), HMACSHA256.HashData(_key, Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"))))
            return (null, [], "[invalid bearer token, square/go-jose: error in cryptographic primitive]");
        var claims = JsonNode.Parse(Base64Url.DecodeFromChars(parts[1]))!;
        if (DateTimeOffset.FromUnixTimeSeconds((long)claims["exp"]!) <= time.GetUtcNow())
            return (null, [], "[invalid bearer token, service account token has expired]");
        IReadOnlyList<string> wanted = audiences.Count == 0 ? [ApiAudience] : audiences;
        var good = claims["aud"]!.AsArray().Select(a => (string)a!).Intersect(wanted, StringComparer.Ordinal).ToList();
        if (good.Count == 0)
            return (null, [], $"[invalid bearer token, token audiences {claims["aud"]!.ToJsonString()} is invalid for the target audiences {string.Join(' ', wanted)}]");
        var facts = claims["kubernetes.io"]!;
        var ns = (string)facts["namespace"]!;
        var extra = new Dictionary<string, string>(StringComparer.Ordinal) { ["authentication.kubernetes.io/credential-id"] = $"JTI={claims["jti"]}" };
        if (facts["pod"] is { } pod)
        {
            if (store.Find("", "pods", ns, (string)pod["name"]!)?.Uid != (string)pod["uid"]!)
                return (null, [], "[invalid bearer token, service account token has been invalidated]");
            extra["authentication.kubernetes.io/pod-name"] = (string)pod["name"]!;
            extra["authentication.kubernetes.io/pod-uid"] = (string)pod["uid"]!;
        }
        if (facts["node"] is { } node)
            extra["authentication.kubernetes.io/node-name"] = (string)node["name"]!;
        var user = new ApiUser((string)claims["sub"]!, ["system:serviceaccounts", $"system:serviceaccounts:{ns}", "system:authenticated"]) { Extra = extra, Uid = (string?)facts["serviceaccount"]!["uid"] ?? "" };
        return (user, good, "");
    }
}

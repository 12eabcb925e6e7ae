using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Mesh.IstiodLite.Certificates;

/// <summary>Who a caller is, as its token says.</summary>
internal abstract record Caller
{
    /// <summary>For logs and status pages.</summary>
    public abstract string Name { get; }
}

/// <summary>The agent of a node: may ask for the identities of the pods scheduled there.</summary>
internal sealed record NodeCaller(string Node) : Caller
{
    /// <summary>Namespace and name of the account it runs under; null: the usual one.</summary>
    public (string Namespace, string Name)? Account { get; init; }

    public override string Name => $"node {Node}";
}

/// <summary>One workload: may ask for its own identity.</summary>
internal sealed record WorkloadCaller(string Namespace, string ServiceAccount, string? Pod) : Caller
{
    public override string Name => Pod is null ? $"workload {Namespace}/{ServiceAccount}" : $"workload {Namespace}/{ServiceAccount}/{Pod}";
}

/// <summary>Finds out who holds a token.</summary>
internal interface ITokenVerifier
{
    /// <summary>The caller, or null with the reason; nothing of the token is in it. Not being able to find out is a <see cref="Mesh.Xds.Grpc.GrpcException"/>.</summary>
    ValueTask<(Caller? Caller, string Reason)> VerifyAsync(string? token, CancellationToken cancellation);
}

/// <summary>Tokens of file mode, by their key alone.</summary>
internal sealed class FileTokens(TokenKey key, TimeProvider time) : ITokenVerifier
{
    public ValueTask<(Caller? Caller, string Reason)> VerifyAsync(string? token, CancellationToken cancellation)
    {
        var caller = key.Verify(token, time.GetUtcNow(), out var reason);
        return ValueTask.FromResult((caller, reason));
    }
}

/// <summary>Tokens of file mode: "mesh1.claims.signature", HMAC-SHA256 with a key in the state folder. Kubernetes' tokens take their place there.</summary>
internal sealed partial class TokenKey
{
    public const string File = "token-key";
    private const string Prefix = "mesh1.";
    private readonly byte[] _key;

    private TokenKey(byte[] key) => _key = key;

    public static TokenKey Open(string stateFolder)
    {
        StateFiles.CreateFolder(stateFolder);
        var path = Path.Combine(stateFolder, File);
        var text = StateFiles.ReadSecret(path);
        if (text is null)
        {
            text = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)) + "\n";
            if (!StateFiles.TryCreate(path, text, secret: true))
                text = StateFiles.ReadSecret(path)!;
        }
        var key = new byte[64];
        return Convert.TryFromBase64String(text.Trim(), key, out var length) && length >= 32
            ? new TokenKey(key[..length])
            : throw new StateException(Runtime.ExitCodes.Data, $"{path} does not hold a key: remove it; all tokens issued so far then stop working");
    }

    public string Issue(Caller caller, DateTimeOffset expires)
    {
        var claims = caller switch
        {
            NodeCaller node => new Claims { Node = node.Node, Expires = expires.ToUnixTimeSeconds() },
            WorkloadCaller w => new Claims { Namespace = w.Namespace, Account = w.ServiceAccount, Pod = w.Pod, Expires = expires.ToUnixTimeSeconds() },
            _ => throw new ArgumentOutOfRangeException(nameof(caller)),
        };
        var signed = Prefix + Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(claims, ClaimsJson.Default.Claims));
        return signed + "." + Base64Url.EncodeToString(Sign(signed));
    }

    /// <summary>The caller, or null with the reason. Nothing of the token is in the reason.</summary>
    public Caller? Verify(string? token, DateTimeOffset now, out string reason)
    {
        reason = "the request carries no token";
        if (string.IsNullOrEmpty(token))
            return null;
        reason = "the token is not one of this mesh";
        var dot = token.LastIndexOf('.');
        if (!token.StartsWith(Prefix, StringComparison.Ordinal) || dot <= Prefix.Length || token.Length > 4096)
            return null;
        var signature = new byte[64];
        if (!Base64Url.TryDecodeFromChars(token.AsSpan(dot + 1), signature, out var length) || !CryptographicOperations.FixedTimeEquals(signature.AsSpan(0, length), Sign(token[..dot])))
        {
            reason = "the token's signature does not fit: it was made with another key";
            return null;
        }
        // Whoever could sign is us: what follows cannot be malformed.
        var claims = JsonSerializer.Deserialize(Base64Url.DecodeFromChars(token.AsSpan(Prefix.Length, dot - Prefix.Length)), ClaimsJson.Default.Claims)!;
        if (DateTimeOffset.FromUnixTimeSeconds(claims.Expires) <= now)
        {
            reason = $"the token expired at {DateTimeOffset.FromUnixTimeSeconds(claims.Expires):u}";
            return null;
        }
        reason = string.Empty;
        return claims.Node is { } node ? new NodeCaller(node) : new WorkloadCaller(claims.Namespace ?? "", claims.Account ?? "", claims.Pod);
    }

    private byte[] Sign(string text) => HMACSHA256.HashData(_key, Encoding.ASCII.GetBytes(text));

    private sealed record Claims
    {
        [JsonPropertyName("node")]
        public string? Node { get; init; }

        [JsonPropertyName("ns")]
        public string? Namespace { get; init; }

        [JsonPropertyName("sa")]
        public string? Account { get; init; }

        [JsonPropertyName("pod")]
        public string? Pod { get; init; }

        [JsonPropertyName("exp")]
        public long Expires { get; init; }
    }

    [JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
    [JsonSerializable(typeof(Claims))]
    private sealed partial class ClaimsJson : JsonSerializerContext;
}

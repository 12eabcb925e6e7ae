using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Mesh.Waypoint.Authorization;

/// <summary>What became of a request's tokens.</summary>
/// <param name="Status">0: go on; else 401 or 403 with the reason as body.</param>
/// <param name="Failure">Why keys could not be had, for logs.</param>
internal sealed record JwtResult(int Status, string? Reason, TokenClaims? Claims, string? Failure = null)
{
    public static readonly JwtResult NoToken = new(0, null, null);
}

/// <summary>
/// RequestAuthentication (reference 3.7): each rule is "valid or missing", several rules are alternatives, a request without a token passes.
/// Signatures are checked by Microsoft.IdentityModel; the reasons are Envoy's, because clients and dashboards know them.
/// </summary>
internal sealed class JwtAuthenticator(JwksCache keys, TimeProvider time)
{
    /// <summary>Envoy's clock skew.</summary>
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(60);

    private static readonly JsonWebTokenHandler Handler = new();

    public async ValueTask<JwtResult> AuthenticateAsync(IReadOnlyList<JwtPolicy> policies, RequestFacts request, TokenRemoval step, CancellationToken cancellation)
    {
        // 1. A client cannot plant what only a token may say.
        foreach (var rule in policies.SelectMany(p => p.Rules))
        {
            if (rule.Source.OutputPayloadToHeader.Length > 0)
                request.Headers.Remove(rule.Source.OutputPayloadToHeader);
            foreach (var claim in rule.Source.OutputClaimToHeaders)
                request.Headers.Remove(claim.Header);
        }

        // 2. The first rule with a valid token wins, rules with places of their own before those that look at Authorization (recorded); without one
        // the failure is the answer.
        JwtResult? failure = null;
        foreach (var rule in policies.SelectMany(p => p.Rules).OrderBy(r => r.HasOwnPlaces ? 0 : 1))
        {
            foreach (var token in TokenPlaces.Find(rule, request))
            {
                var (status, reason, payload) = await VerifyAsync(rule, token.Text, cancellation);
                if (payload is { } claims)
                {
                    if (!rule.Source.ForwardOriginalToken)
                        token.Remove?.Invoke(request.Headers, step);
                    WriteHeaders(rule, claims, token.Text, request.Headers);
                    return new JwtResult(0, null, new TokenClaims(claims, rule.Source.SpaceDelimitedClaims));
                }

                // "Not this issuer" is the weakest reason: another rule may know it better.
                if (failure is null || reason != IssuerNotConfigured)
                    failure = new JwtResult(status, reason, null, reason == NoKeys ? keys.FailureOf(rule) : null);
            }
        }

        return failure ?? JwtResult.NoToken;
    }

    private const string IssuerNotConfigured = "Jwt issuer is not configured";
    private const string NoKeys = "Jwks remote fetch is failed";

    private async ValueTask<(int Status, string? Reason, JsonElement? Payload)> VerifyAsync(JwtRule rule, string text, CancellationToken cancellation)
    {
        var parts = text.Split('.');
        if (parts.Length != 3 || Array.Exists(parts, p => p.Length == 0))
            return Refuse("Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections");
        if (Decode(parts[0]) is not { } headerBytes)
            return Refuse("Jwt header is an invalid Base64url encoded");
        if (Parse(headerBytes) is not { } header)
            return Refuse("Jwt header is an invalid JSON");
        if (Decode(parts[1]) is not { } payloadBytes)
            return Refuse("Jwt payload is an invalid Base64url encoded");
        if (Parse(payloadBytes) is not { } payload)
            return Refuse("Jwt payload is an invalid JSON");
        if (Decode(parts[2]) is null)
            return Refuse("Jwt signature is an invalid Base64url encoded");

        var claims = new TokenClaims(payload);
        if (rule.Issuer.Length > 0 && claims.Text("iss") != rule.Issuer)
            return Refuse(IssuerNotConfigured);
        var now = time.GetUtcNow();
        if (Seconds(payload, "nbf") is { } notBefore && now + Skew < DateTimeOffset.FromUnixTimeSeconds(notBefore))
            return Refuse("Jwt not yet valid");
        if (Seconds(payload, "exp") is { } expires && now - Skew > DateTimeOffset.FromUnixTimeSeconds(expires))
            return Refuse("Jwt is expired");
        if (rule.Audiences.Count > 0 && !claims.Audiences.Any(a => rule.Audiences.Contains(JwtRule.WithoutDecoration(a))))
            return (StatusCodes.Status403Forbidden, "Audiences in Jwt are not allowed", null);

        var set = rule.Keys ?? await keys.GetAsync(rule, cancellation);
        if (set is null)
            return Refuse(NoKeys);
        var (kid, algorithm) = (Text(header, "kid"), Text(header, "alg"));
        var candidates = Candidates(set, kid, algorithm);
        if (candidates.Count == 0 && rule.Keys is null && kid is not null)
            candidates = Candidates(await keys.GetNewerAsync(rule, set, cancellation) ?? set, kid, algorithm);
        if (candidates.Count == 0)
            return Refuse("Jwks doesn't have key to match kid or alg from Jwt");
        var result = await Handler.ValidateTokenAsync(text, new TokenValidationParameters
        {
            IssuerSigningKeys = candidates,
            RequireSignedTokens = true,
            TryAllIssuerSigningKeys = true,
            ValidateIssuer = false,
            ValidateAudience = false,
            ValidateLifetime = false,
        });
        return result.IsValid ? (0, null, payload) : Refuse("Jwt verification fails");
    }

    private static (int Status, string? Reason, JsonElement? Payload) Refuse(string reason) => (StatusCodes.Status401Unauthorized, reason, null);

    /// <summary>Keys that may have signed it: the named one, or without a name all; only of a kind that fits the algorithm.</summary>
    private static List<SecurityKey> Candidates(JsonWebKeySet set, string? kid, string? algorithm)
    {
        var type = algorithm switch
        {
            ['R' or 'P', 'S', ..] => JsonWebAlgorithmsKeyTypes.RSA,
            ['E', 'S', ..] => JsonWebAlgorithmsKeyTypes.EllipticCurve,
            ['H', 'S', ..] => JsonWebAlgorithmsKeyTypes.Octet,
            "EdDSA" => "OKP",
            _ => null,
        };
        return [.. set.Keys
            .Where(k => k.Kty == type && (string.IsNullOrEmpty(k.Alg) || k.Alg == algorithm))
            .Where(k => kid is null || string.IsNullOrEmpty(k.Kid) || k.Kid == kid)];
    }

    private static void WriteHeaders(JwtRule rule, JsonElement payload, string text, IHeaderDictionary headers)
    {
        if (rule.Source.OutputPayloadToHeader.Length > 0)
            headers[rule.Source.OutputPayloadToHeader] = text.Split('.')[1];
        foreach (var output in rule.Source.OutputClaimToHeaders)
        {
            var value = payload;
            var found = true;
            foreach (var step in output.Claim.Split('.'))
                found = found && value.ValueKind == JsonValueKind.Object && value.TryGetProperty(step, out value);
            var header = !found ? null : value.ValueKind switch
            {
                JsonValueKind.String => value.GetString(),
                JsonValueKind.Number => value.GetRawText(),
                JsonValueKind.True => "true",
                JsonValueKind.False => "false",
                JsonValueKind.Array or JsonValueKind.Object => Convert.ToBase64String(Encoding.UTF8.GetBytes(value.GetRawText())),
                _ => null,
            };

            // A claim must not be able to add a header line of its own.
            if (header is not null && header.AsSpan().IndexOfAny('\r', '\n', '\0') < 0)
                headers[output.Header] = header;
        }
    }

    private static byte[]? Decode(string text)
    {
        try
        {
            return Base64Url.DecodeFromChars(text);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static JsonElement? Parse(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static long? Seconds(JsonElement payload, string name) =>
        payload.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? (long)value.GetDouble() : null;

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Mesh.Waypoint.Http1;
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

    /// <param name="rules">In the order of <see cref="JwtRule.InOrder"/>.</param>
    public async ValueTask<JwtResult> AuthenticateAsync(JwtRule[] rules, RequestFacts request, TokenRemoval step, CancellationToken cancellation)
    {
        // 1. A client cannot plant what only a token may say.
        foreach (var rule in rules)
        {
            if (rule.Source.OutputPayloadToHeader.Length > 0)
                request.Headers.Remove(rule.Source.OutputPayloadToHeader);
            foreach (var claim in rule.Source.OutputClaimToHeaders)
                request.Headers.Remove(claim.Header);
        }

        // 2. The first rule with a valid token wins; without one the failure is the answer.
        JwtResult? failure = null;
        foreach (var rule in rules)
        {
            foreach (var token in TokenPlaces.Find(rule, request))
            {
                var (status, reason, verified) = await VerifyAsync(rule, token.Text, cancellation);
                if (verified is not null)
                {
                    if (!rule.Source.ForwardOriginalToken)
                        token.Remove?.Invoke(request.Headers, step);
                    WriteHeaders(rule, verified.Payload, token.Text, request.Headers);
                    return verified.Result;
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

    private async ValueTask<(int Status, string? Reason, VerifiedToken? Token)> VerifyAsync(JwtRule rule, string text, CancellationToken cancellation)
    {
        if (rule.Verified.Find(text) is { } known && IsCurrent(known.NotBefore, known.Expires) is null && ReferenceEquals(rule.Keys ?? await keys.GetAsync(rule, cancellation), known.Keys))
            return (0, null, known);

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

        var claims = new TokenClaims(payload, rule.Source.SpaceDelimitedClaims);
        if (rule.Issuer.Length > 0 && claims.Text("iss") != rule.Issuer)
            return Refuse(IssuerNotConfigured);
        var (notBefore, expires) = (Seconds(payload, "nbf"), Seconds(payload, "exp"));
        if (IsCurrent(notBefore, expires) is { } wrongTime)
            return Refuse(wrongTime);
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
        if (!result.IsValid)
            return Refuse("Jwt verification fails");
        var verified = new VerifiedToken(new JwtResult(0, null, claims), payload, set, notBefore, expires);
        rule.Verified.Add(text, verified);
        return (0, null, verified);
    }

    /// <returns>Null: it is; else the reason.</returns>
    private string? IsCurrent(long? notBefore, long? expires)
    {
        var now = time.GetUtcNow();
        if (notBefore is { } from && now + Skew < DateTimeOffset.FromUnixTimeSeconds(from))
            return "Jwt not yet valid";
        return expires is { } until && now - Skew > DateTimeOffset.FromUnixTimeSeconds(until) ? "Jwt is expired" : null;
    }

    private static (int Status, string? Reason, VerifiedToken? Token) Refuse(string reason) => (StatusCodes.Status401Unauthorized, reason, null);

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

            // A claim must not be able to add a header line of its own, nor to make the request one that cannot be sent.
            if (header is not null && FieldRules.IsValue(header))
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

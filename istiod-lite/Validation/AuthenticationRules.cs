using System.Text.Json;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Validation;

/// <summary>PeerAuthentication and RequestAuthentication.</summary>
internal static class AuthenticationRules
{
    public static void Peer(Field root, DocumentFaults faults)
    {
        var spec = root["spec"];
        var ports = spec["portLevelMtls"];
        CommonRules.Selector(spec["selector"]["matchLabels"], faults);
        if (ports.Exists && ports.Count == 0)
            faults.Refuse(ports, "is empty", "name a port, or remove it");
        if (ports.Count > 0 && spec["selector"]["matchLabels"].Count == 0)
            faults.Refuse(ports, "needs a selector: ports are those of certain workloads", "add a selector, or remove the ports");
    }

    public static void Request(Field root, DocumentFaults faults)
    {
        var spec = root["spec"];
        CommonRules.Attachment(spec, faults);
        foreach (var rule in spec["jwtRules"].Items)
            Rule(rule, faults);
    }

    private static void Rule(Field rule, DocumentFaults faults)
    {
        var (jwks, uri) = (rule["jwks"], rule["jwksUri"].Exists ? rule["jwksUri"] : rule["jwks_uri"]);
        if (rule["issuer"].Text.Length == 0 && uri.Text.Length == 0)
            faults.Refuse(rule, "has neither issuer nor jwksUri", "name the issuer");
        if (jwks.Text.Length > 0 && uri.Text.Length > 0)
            faults.AddToSchema(rule.Line, $"{rule.Path} has both jwks and jwksUri", "keep one");
        if (uri.Text.Length > 0 && !(Uri.TryCreate(uri.Text, UriKind.Absolute, out var parsed) && parsed.Scheme is "http" or "https"))
            faults.Refuse(uri, $"is \"{uri.Text}\", which is no URL", "write it like https://issuer.example/jwks.json");
        if (jwks.Text.Length > 0 && KeysFault(jwks.Text) is { } fault)
            faults.Refuse(jwks, fault, "write a JSON Web Key Set: {\"keys\": [...]}");
        foreach (var header in rule["fromHeaders"].Items.Where(h => h["name"].Exists && h["name"].Text.Length == 0))
            faults.Refuse(header, "has no name", "name the header");
        foreach (var name in (ReadOnlySpan<string>)["audiences", "fromParams", "fromCookies"])
        {
            foreach (var value in rule[name].Items.Where(v => v.Text.Length == 0))
                faults.Refuse(value, "is empty", "write a value, or remove it");
        }
        foreach (var claim in rule["outputClaimToHeaders"].Items)
        {
            if (!Syntax.IsHeaderName(claim["header"].Text))
                faults.Refuse(claim["header"], $"is \"{claim["header"].Text}\", which is no header name", "use letters, digits, '-' and '_'");
        }
        if (rule["outputPayloadToHeader"].Exists && !Syntax.IsHeaderName(rule["outputPayloadToHeader"].Text))
            faults.Refuse(rule["outputPayloadToHeader"], $"is \"{rule["outputPayloadToHeader"].Text}\", which is no header name", "use letters, digits, '-' and '_'");
    }

    private static string? KeysFault(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.ValueKind is JsonValueKind.Object && document.RootElement.TryGetProperty("keys", out var keys) && keys.ValueKind is JsonValueKind.Array
                ? null
                : "has no list of keys";
        }
        catch (JsonException e)
        {
            return $"is not JSON: {e.Message}";
        }
    }
}

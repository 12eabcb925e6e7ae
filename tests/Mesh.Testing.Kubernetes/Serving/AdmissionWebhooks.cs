using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Mesh.Testing.Kubernetes.Access;
using Mesh.Testing.Kubernetes.Storage;

namespace Mesh.Testing.Kubernetes.Serving;

/// <summary>Calls the stored ValidatingWebhookConfigurations before a write, as the API server does.</summary>
public sealed class AdmissionWebhooks(ApiStore store)
{
    private readonly System.Collections.Concurrent.ConcurrentDictionary<string, Uri> _services = new(StringComparer.Ordinal);

    /// <summary>Where a Service really is; there is no cluster network here.</summary>
    public void Route(string ns, string service, Uri address) => _services[$"{ns}/{service}"] = address;

    /// <summary>Refused is an <see cref="ApiError"/>; what comes back are warnings for the client.</summary>
    public async Task<IReadOnlyList<string>> AskAsync(ApiTarget target, string operation, JsonObject? after, JsonObject? before, ApiUser user, bool dryRun, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(user);
        var kind = store.FindKind("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations")!;
        var warnings = new List<string>();
        foreach (var webhook in store.List(kind, null, Selectors.Parse(kind, null, null)).Items.SelectMany(c => c.Body["webhooks"] as JsonArray ?? []).OfType<JsonObject>())
        {
            var subject = after ?? before!;
            if (!Applies(webhook, target, operation) || !Selected(webhook["objectSelector"], subject["metadata"]?["labels"]))
                continue;
            if (target.Kind.Namespaced && !Selected(webhook["namespaceSelector"], store.Find("", "namespaces", "", target.Namespace ?? "")?.Body["metadata"]?["labels"]))
                continue;
            var name = (string)webhook["name"]!;
            JsonNode response;
            try
            {
                response = await CallAsync(webhook, Review(target, operation, after, before, user, dryRun), cancellation);
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException or System.Text.Json.JsonException or InvalidOperationException)
            {
                if ((string?)webhook["failurePolicy"] == "Ignore")
                    continue;
                throw new ApiError(500, "InternalError", $"Internal error occurred: failed calling webhook \"{name}\": {e.Message}");
            }
            warnings.AddRange((response["warnings"] as JsonArray ?? []).Select(w => (string)w!));
            if ((bool?)response["allowed"] is not true)
                throw new ApiError((int?)response["status"]?["code"] ?? 400, (string?)response["status"]?["reason"] ?? "", $"admission webhook \"{name}\" denied the request: {(string?)response["status"]?["message"]}");
        }
        return warnings;
    }

    private static JsonObject Review(ApiTarget target, string operation, JsonObject? after, JsonObject? before, ApiUser user, bool dryRun)
    {
        JsonObject Kind() => new() { ["group"] = target.Kind.Group, ["version"] = target.Version, ["kind"] = target.Kind.Kind };
        JsonObject Resource() => new() { ["group"] = target.Kind.Group, ["version"] = target.Version, ["resource"] = target.Kind.Plural };
        JsonObject? Shown(JsonObject? body) => body is null ? null : ResponseWriting.Shown(target, body, metadataOnly: false);
        return new JsonObject
        {
            ["kind"] = "AdmissionReview",
            ["apiVersion"] = "admission.k8s.io/v1",
            ["request"] = new JsonObject
            {
                ["uid"] = Guid.NewGuid().ToString(),
                ["kind"] = Kind(),
                ["resource"] = Resource(),
                ["requestKind"] = Kind(),
                ["requestResource"] = Resource(),
                ["name"] = (string?)(after ?? before)!["metadata"]!["name"],
                ["namespace"] = target.Namespace,
                ["operation"] = operation,
                ["userInfo"] = new JsonObject { ["username"] = user.Name, ["groups"] = new JsonArray([.. user.Groups.Select(g => (JsonNode)g)]) },
                ["object"] = Shown(after),
                ["oldObject"] = Shown(before),
                ["dryRun"] = dryRun,
            },
        };
    }

    private async Task<JsonNode> CallAsync(JsonObject webhook, JsonObject review, CancellationToken cancellation)
    {
        var client = webhook["clientConfig"]!;
        var seconds = (int?)webhook["timeoutSeconds"] ?? 10;
        var (address, serverName) = Locate(client);
        var roots = new X509Certificate2Collection();
        roots.ImportFromPem(Encoding.UTF8.GetString(Convert.FromBase64String((string?)client["caBundle"] ?? "")));
        using var handler = new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                TargetHost = serverName,
                RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
                {
                    using var chain = new X509Chain();
                    chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
                    chain.ChainPolicy.CustomTrustStore.AddRange(roots);
                    chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
                    return certificate is not null && !errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) && chain.Build(X509CertificateLoader.LoadCertificate(certificate.GetRawCertData()));
                },
            },
        };
        using var http = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(seconds) };
        using var content = new StringContent(review!.ToJsonString(), Encoding.UTF8, "application/json");
        using var response = await http.PostAsync(new Uri($"{address}{(address.Query.Length > 0 ? "&" : "?")}timeout={seconds}s"), content, cancellation);
        response.EnsureSuccessStatusCode();
        var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync(cancellation))?["response"] ?? throw new InvalidOperationException("the answer has no response");
        return (string?)answer["uid"] == (string?)review["request"]?["uid"] ? answer : throw new InvalidOperationException("expected response.uid to be that of the request");
    }

    private (Uri Address, string? ServerName) Locate(JsonNode client)
    {
        if ((string?)client["url"] is { } url)
            return (new Uri(url), null);
        var service = client["service"]!;
        var name = $"{service["namespace"]}/{service["name"]}";
        return _services.TryGetValue(name, out var address)
            ? (new Uri(address, (string?)service["path"] ?? "/"), $"{service["name"]}.{service["namespace"]}.svc")
            : throw new InvalidOperationException($"service \"{name}\" has no endpoints");
    }

    private static bool Applies(JsonObject webhook, ApiTarget target, string operation)
    {
        static bool Has(JsonNode rule, string field, string value) => (rule[field] as JsonArray ?? []).Any(v => (string?)v is "*" || (string?)v == value);
        var resource = target.Subresource.Length == 0 ? target.Kind.Plural : $"{target.Kind.Plural}/{target.Subresource}";
        return (webhook["rules"] as JsonArray ?? []).Any(r => Has(r!, "operations", operation) && Has(r!, "apiGroups", target.Kind.Group)
            && target.Kind.Versions.Any(v => Has(r!, "apiVersions", v)) && (target.Subresource.Length == 0 ? Has(r!, "resources", resource) : (r!["resources"] as JsonArray ?? []).Any(v => (string?)v == resource || (string?)v == "*/*")));
    }

    private static bool Selected(JsonNode? selector, JsonNode? labels)
    {
        foreach (var (name, value) in selector?["matchLabels"] as JsonObject ?? [])
        {
            if ((string?)labels?[name] != (string?)value)
                return false;
        }
        return (selector?["matchExpressions"] as JsonArray ?? []).All(e =>
        {
            var label = (string?)labels?[(string)e!["key"]!];
            var values = (e!["values"] as JsonArray ?? []).Select(v => (string?)v);
            return (string?)e["operator"] switch
            {
                "In" => label is not null && values.Contains(label),
                "NotIn" => label is null || !values.Contains(label),
                "Exists" => label is not null,
                _ => label is null,
            };
        });
    }
}

using System.Text;
using System.Text.Json.Nodes;
using Mesh.IstiodLite.Admission;
using Mesh.IstiodLite.Telemetry;
using Mesh.Kubernetes;
using Mesh.Kubernetes.Informers;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Leadership;

/// <summary>
/// Keeps the authority in the validating webhooks that lead to us (reference: istiod 10.1). They are installed with failurePolicy Ignore; only when an
/// object that must be refused has been refused do they become Fail, so that a webhook that cannot be reached never stops a cluster.
/// </summary>
internal sealed class WebhookTrust : LeaderTask, IInformerHandler<string>, IAsyncDisposable
{
    private const string Manager = "istiod-lite";
    private readonly KubeClient _client;
    private readonly string _namespace;
    private readonly Func<string> _roots;
    private readonly Action<string> _repaired;
    private readonly Informer<string> _informer;

    /// <summary>The bundle that each configuration had when it was looked at last, as long as it was ours.</summary>
    private readonly Dictionary<string, string> _seen = new(StringComparer.Ordinal);

    /// <param name="repaired">Told what was written again because somebody had overwritten it.</param>
    public WebhookTrust(KubeClient client, string ns, Func<string> roots, InformerOptions options, Action<string> repaired, Health health, Log? log)
        : base("webhooks", health, client.Time, log)
    {
        _client = client;
        _namespace = ns;
        _roots = roots;
        _repaired = repaired;
        _informer = new Informer<string>(client, ResourceChoice.Of(ResourceTypes.ValidatingWebhooks), null, Selection.All, item => item.ResourceVersion, this, options);
        _informer.Start();
    }

    public void OnChanged(InformerChange<string> change) => Signal();

    public void OnSynced() => Signal();

    public void OnHealth(InformerHealth health)
    {
        // As with everything that is only repaired: the writes say what fails.
    }

    public ValueTask DisposeAsync() => _informer.DisposeAsync();

    protected override void BeginTerm() => _seen.Clear();

    protected override async Task ReconcileAsync(CancellationToken cancellation)
    {
        if (!_informer.Synced.IsCompleted)
            return;
        var failures = new PartialFailure();
        var list = await _client.GetJsonAsync(ResourceTypes.ValidatingWebhooks.CollectionPath(null), cancellation);
        foreach (var configuration in (list["items"] as JsonArray ?? []).OfType<JsonObject>())
            await failures.TryAsync(() => TrustAsync(configuration, cancellation));
        failures.ThrowIfAny();
    }

    private async Task TrustAsync(JsonObject configuration, CancellationToken cancellation)
    {
        var webhooks = (configuration["webhooks"] as JsonArray ?? []).OfType<JsonObject>().Where(IsOurs).ToList();
        var bundle = Convert.ToBase64String(Encoding.ASCII.GetBytes(_roots()));
        var trusted = webhooks.TrueForAll(w => (string?)w["clientConfig"]!["caBundle"] == bundle);
        var name = (string)configuration["metadata"]!["name"]!;
        // Ours once, the roots are still the same, and it is another one now: whoever wrote it takes the webhook away from everybody.
        var isOverwritten = !trusted && webhooks.Count > 0 && _seen.GetValueOrDefault(name) == bundle;
        if (trusted && webhooks.Count > 0)
            _seen[name] = bundle;
        foreach (var webhook in webhooks)
            webhook["clientConfig"]!["caBundle"] = bundle;
        // First the trust, then the proof, then the consequence; each change brings the next look.
        if (trusted && (webhooks.TrueForAll(w => (string?)w["failurePolicy"] == "Fail") || !await IsAskedAsync(cancellation)))
            return;
        if (trusted)
            webhooks.ForEach(w => w["failurePolicy"] = "Fail");
        if (webhooks.Count == 0)
            return;
        var patch = new JsonObject
        {
            // Lists are replaced whole: only if nobody else was faster.
            ["metadata"] = new JsonObject { ["resourceVersion"] = configuration["metadata"]!["resourceVersion"]!.DeepClone() },
            ["webhooks"] = configuration["webhooks"]!.DeepClone(),
        };
        await _client.MergeAsync(ResourceTypes.ValidatingWebhooks, null, name, patch, null, cancellation);
        if (isOverwritten)
            _repaired($"the caBundle of ValidatingWebhookConfiguration {name} had been overwritten by {WriterOf(configuration)} and was written again; until then the API server could not ask this control plane about documents. Two control planes that share a webhook overwrite each other: give each its own");
        Log?.Info(trusted ? $"ValidatingWebhookConfiguration {name} works: what it refuses is refused, and without it nothing is written" : $"ValidatingWebhookConfiguration {name} trusts the mesh's roots");
    }

    /// <summary>Who wrote last, as the API server notes it; it is nobody's proof, only where to look.</summary>
    private static string WriterOf(JsonObject configuration) =>
        (configuration["metadata"]!["managedFields"] as JsonArray ?? []).OfType<JsonObject>().OrderBy(f => (string?)f["time"], StringComparer.Ordinal).LastOrDefault() is { } last && (string?)last["manager"] is { Length: > 0 } manager
            ? $"another writer (the last one was {manager})"
            : "another writer";

    private bool IsOurs(JsonObject webhook) =>
        webhook["clientConfig"]?["service"] is JsonObject service && (string?)service["namespace"] == _namespace && ((string?)service["name"])?.StartsWith("istiod", StringComparison.Ordinal) is true;

    /// <summary>True if an object that must be refused was refused by the webhook.</summary>
    private async Task<bool> IsAskedAsync(CancellationToken cancellation)
    {
        var choice = new ResourceChoice("security.istio.io", "peerauthentications", "PeerAuthentication", true, ["v1", "v1beta1"]);
        if (await _client.FindAsync(choice, cancellation) is not { } type)
            return false;
        var probe = new JsonObject
        {
            ["apiVersion"] = type.ApiVersion,
            ["kind"] = type.Kind,
            ["metadata"] = new JsonObject { ["name"] = "webhook-probe", ["namespace"] = _namespace, ["annotations"] = new JsonObject { [AdmissionReview.AlwaysReject] = "true" } },
            ["spec"] = new JsonObject(),
        };
        try
        {
            await _client.TryApplyAsync(type, _namespace, "webhook-probe", probe, Manager, cancellation);
            return false;
        }
        catch (KubeException e) when (e.Message.Contains(AdmissionReview.AlwaysReject, StringComparison.Ordinal))
        {
            return true;
        }
    }
}

using System.Text.Json.Nodes;
using Mesh.IstiodLite.Push;
using Mesh.IstiodLite.Telemetry;
using Mesh.Kubernetes;
using Mesh.Kubernetes.Informers;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Leadership;

/// <summary>The roots of the mesh in a ConfigMap of every namespace (reference: istiod 6.5), put right whenever somebody changes or deletes it.</summary>
internal sealed class RootDistribution : LeaderTask, IInformerHandler<string>, IAsyncDisposable
{
    public const string ConfigMapName = "istio-ca-root-cert";
    public const string Key = "root-cert.pem";
    private const string Manager = "istiod-lite";
    private static readonly HashSet<string> _without = new(StringComparer.Ordinal) { "kube-public", "kube-node-lease", "local-path-storage" };

    private readonly KubeClient _client;
    private readonly Reconciler _mesh;
    private readonly Func<string> _roots;
    private readonly Informer<string> _informer;
    // What the cluster has: namespace to the roots in it.
    private readonly System.Collections.Concurrent.ConcurrentDictionary<string, string> _seen = new(StringComparer.Ordinal);

    public RootDistribution(KubeClient client, Reconciler mesh, Func<string> roots, InformerOptions options, Health health, Log? log)
        : base("root certificates", health, client.Time, log)
    {
        _client = client;
        _mesh = mesh;
        _roots = roots;
        _informer = new Informer<string>(client, ResourceChoice.Of(ResourceTypes.ConfigMaps), null, new Selection { Fields = $"metadata.name={ConfigMapName}" }, Decode, this, options);
        _informer.Start();
    }

    public void OnChanged(InformerChange<string> change)
    {
        if (change.After is { } roots)
            _seen[change.Key.Namespace] = roots;
        else
            _seen.TryRemove(change.Key.Namespace, out _);
        Signal();
    }

    public void OnSynced() => Signal();

    public void OnHealth(InformerHealth health)
    {
        // A failure to look only delays a repair; the writes say what fails.
    }

    public ValueTask DisposeAsync() => _informer.DisposeAsync();

    protected override async Task ReconcileAsync(CancellationToken cancellation)
    {
        if (!_informer.Synced.IsCompleted)
            return;
        var roots = _roots();
        var failures = new PartialFailure();
        foreach (var ns in _mesh.Resources.Namespaces.Where(n => !n.Meta.Deleting && !_without.Contains(n.Name)).Select(n => n.Name))
        {
            if (_seen.GetValueOrDefault(ns) != roots)
                await failures.TryAsync(() => WriteAsync(ns, roots, cancellation));
        }
        failures.ThrowIfAny();
    }

    private async Task WriteAsync(string ns, string roots, CancellationToken cancellation)
    {
        var body = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "ConfigMap",
            ["metadata"] = new JsonObject { ["name"] = ConfigMapName, ["namespace"] = ns, ["labels"] = new JsonObject { ["istio.io/config"] = "true" } },
            ["data"] = new JsonObject { [Key] = roots },
        };
        try
        {
            await _client.ApplyAsync(ResourceTypes.ConfigMaps, ns, ConfigMapName, body, Manager, force: true, null, cancellation);
            Log?.Debug($"{ns}/{ConfigMapName} written");
        }
        catch (KubeException e) when (e.Failure is KubeFailure.NotFound || (e.Failure is KubeFailure.Forbidden && e.Message.Contains("being terminated", StringComparison.Ordinal)))
        {
            // The namespace is on its way out.
        }
    }

    private static string? Decode(RawObject item) =>
        System.Text.Json.JsonSerializer.Deserialize(item.Json.Span, KubeJson.Default.ConfigMap)?.Data?.GetValueOrDefault(Key) ?? string.Empty;
}

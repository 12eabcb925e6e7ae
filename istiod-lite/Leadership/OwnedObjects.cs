using System.Collections.Concurrent;
using Mesh.Kubernetes;
using Mesh.Kubernetes.Informers;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;

namespace Mesh.IstiodLite.Leadership;

/// <summary>Watches the metadata of the objects of one kind that we made, to see when somebody else changes or deletes one.</summary>
internal sealed class OwnedObjects : IInformerHandler<string>, IAsyncDisposable
{
    private readonly ConcurrentDictionary<ObjectKey, string> _seen = new();
    private readonly Informer<string> _informer;
    private readonly Action _changed;

    public OwnedObjects(KubeClient client, ResourceType type, string labels, InformerOptions options, Action changed)
    {
        _changed = changed;
        _informer = new Informer<string>(client, ResourceChoice.Of(type), null, new Selection { Labels = labels, MetadataOnly = true }, Mark, this, options);
        _informer.Start();
    }

    public bool IsComplete => _informer.Synced.IsCompleted;

    /// <summary>What tells two versions apart; null: it is not there.</summary>
    public string? Find(string ns, string name) => _seen.GetValueOrDefault(new ObjectKey(ns, name));

    /// <summary>The generation where the kind has one, so that a controller's status is no change; otherwise the version.</summary>
    public static string MarkOf(ObjectMeta meta) =>
        meta.Generation is { } generation ? $"g{generation}/{string.Join(',', (meta.Labels ?? new Dictionary<string, string>(StringComparer.Ordinal)).OrderBy(l => l.Key, StringComparer.Ordinal))}" : $"v{meta.ResourceVersion}";

    public void OnChanged(InformerChange<string> change)
    {
        if (change.After is { } mark)
            _seen[change.Key] = mark;
        else
            _seen.TryRemove(change.Key, out _);
        if (change.Before != change.After)
            _changed();
    }

    public void OnSynced() => _changed();

    public void OnHealth(InformerHealth health)
    {
        // Not seeing only delays a repair.
    }

    public ValueTask DisposeAsync() => _informer.DisposeAsync();

    private static string? Mark(RawObject item) =>
        System.Text.Json.JsonSerializer.Deserialize(item.Json.Span, KubeJson.Default.PartialObject) is { } read ? MarkOf(read.Metadata) : null;
}

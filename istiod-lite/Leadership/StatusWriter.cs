using System.Globalization;
using System.Text.Json.Nodes;
using Mesh.IstiodLite.Push;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Documents;
using Mesh.IstiodLite.Sources.Kubernetes;
using Mesh.IstiodLite.Status;
using Mesh.IstiodLite.Telemetry;
using Mesh.Kubernetes;
using Mesh.Kubernetes.Requests;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Leadership;

/// <summary>
/// Writes statuses back (reference: istiod 9): server-side apply on the status, one field manager per writer, only what differs from what the object
/// already says. A condition keeps the time of its last change of status.
/// </summary>
internal sealed class StatusWriter(KubeClient client, Reconciler mesh, Health health, Log? log) : LeaderTask("status", health, client.Time, log)
{
    private readonly Dictionary<(string Kind, string Namespace, string Name, string Writer), string> _written = [];
    // Written in full; the list is the same object while nothing changed that a status speaks of.
    private IReadOnlyList<StatusEntry>? _done;
    private static readonly TimeSpan _comparison = TimeSpan.FromMinutes(10);
    private long _compared;
    private readonly Dictionary<string, ResourceType?> _types = new(StringComparer.Ordinal);

    protected override void BeginTerm()
    {
        _written.Clear();
        _done = null;
        _types.Clear();
    }

    protected override async Task ReconcileAsync(CancellationToken cancellation)
    {
        if (client.Time.GetElapsedTime(_compared) >= _comparison)
        {
            // Somebody may have changed what was written: each object is looked at again.
            _written.Clear();
            _done = null;
            _compared = client.Time.GetTimestamp();
        }
        var statuses = mesh.Current.Translated.Statuses;
        if (ReferenceEquals(statuses, _done))
            return;
        var failures = new PartialFailure();
        var live = new HashSet<(string, string, string, string)>();
        foreach (var entry in statuses)
        {
            var key = (entry.Kind, entry.Namespace, entry.Name, entry.Writer);
            live.Add(key);
            // Of this object: one that was deleted and made anew under its name has no status yet.
            var wanted = $"{mesh.Resources.Find(new ResourceKey(entry.Kind, entry.Namespace, entry.Name))?.Meta.Uid} {entry.Status.ToJsonString()}";
            if (_written.GetValueOrDefault(key) == wanted)
                continue;
            if (await failures.TryAsync(() => WriteAsync(entry, cancellation)))
                _written[key] = wanted;
        }
        foreach (var gone in _written.Keys.Where(k => !live.Contains(k)).ToList())
            _written.Remove(gone);
        failures.ThrowIfAny();
        _done = statuses;
    }

    private async Task WriteAsync(StatusEntry entry, CancellationToken cancellation)
    {
        // Its objects are known, so it was served a moment ago: not now is no answer, and is asked again.
        var type = await TypeOfAsync(entry.Kind, cancellation)
            ?? throw new KubeException(KubeFailure.NotServed, $"the status of {entry.Kind} {entry.Namespace}/{entry.Name} waits: the API server does not serve {entry.Kind} now");
        var ns = type.Namespaced ? entry.Namespace : null;
        JsonObject current;
        try
        {
            current = await client.GetJsonAsync(type.ObjectPath(ns, entry.Name), cancellation);
        }
        catch (KubeException e) when (e.Failure is KubeFailure.NotFound)
        {
            // Deleted meanwhile; the watch will say so.
            return;
        }
        catch (KubeException e) when (e.Failure is KubeFailure.NotServed)
        {
            // Removed, or served in another version from now on.
            _types.Remove(entry.Kind);
            throw;
        }
        var before = current["status"] as JsonObject ?? [];
        if (StatusTimes.Covers(before, entry.Status))
            return;
        var status = (JsonObject)entry.Status.DeepClone();
        StatusTimes.Fill(status, before, client.Time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        var metadata = new JsonObject { ["name"] = entry.Name };
        if (ns is not null)
            metadata["namespace"] = ns;
        var body = new JsonObject { ["apiVersion"] = type.ApiVersion, ["kind"] = type.Kind, ["metadata"] = metadata, ["status"] = status };
        try
        {
            await client.ApplyAsync(type, ns, entry.Name, body, entry.Writer, force: true, "status", cancellation);
            Log?.Debug($"status of {entry.Kind} {entry.Namespace}/{entry.Name} written by {entry.Writer}");
        }
        catch (KubeException e) when (e.Failure is KubeFailure.NotFound)
        {
            // As above.
        }
        catch (KubeException e) when (e.Failure is KubeFailure.Invalid or KubeFailure.BadRequest)
        {
            // Trying the same again would be refused again.
            Log?.Error($"the status of {entry.Kind} {entry.Namespace}/{entry.Name} is refused: {e.Message}");
        }
    }

    private async Task<ResourceType?> TypeOfAsync(string kind, CancellationToken cancellation)
    {
        if (_types.TryGetValue(kind, out var known) && known is not null)
            return known;
        // "Gateway" is a kind of two groups; the statuses written here are of the kinds that are decoded.
        var watched = WatchedKinds.All(string.Empty).First(k => k.Known.Kind == kind);
        return _types[kind] = await client.FindAsync(watched.Choice, cancellation);
    }
}

using System.Collections.Immutable;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Waypoints;

namespace Mesh.IstiodLite.Translation.Incremental;

/// <summary>Workloads as they were translated last, by the document that they come from.</summary>
internal sealed class WorkloadStage
{
    public ImmutableDictionary<ResourceKey, IReadOnlyList<MeshWorkload>> ByDocument { get; private set; } = ImmutableDictionary<ResourceKey, IReadOnlyList<MeshWorkload>>.Empty;

    public EndpointIndex Endpoints { get; } = new([]);

    /// <summary>Returns what is different: by uid, either side may be null.</summary>
    /// <param name="documents">To translate again.</param>
    /// <param name="gone">Documents that are not there any more.</param>
    /// <param name="translator">Made for the current services, policies and bindings.</param>
    public List<(MeshWorkload? Before, MeshWorkload? After)> Update(IEnumerable<Resource> documents, IEnumerable<ResourceKey> gone, WorkloadTranslator translator)
    {
        var changes = new List<(MeshWorkload?, MeshWorkload?)>();
        var builder = ByDocument.ToBuilder();
        foreach (var key in gone)
            Replace(builder, key, [], changes);
        foreach (var document in documents)
            Replace(builder, document.Key, translator.From(document), changes);
        ByDocument = builder.ToImmutable();
        return changes;
    }

    private void Replace(ImmutableDictionary<ResourceKey, IReadOnlyList<MeshWorkload>>.Builder builder, ResourceKey key, IReadOnlyList<MeshWorkload> renewed, List<(MeshWorkload?, MeshWorkload?)> changes)
    {
        var before = builder.GetValueOrDefault(key) ?? [];
        if (before.Count == 0 && renewed.Count == 0)
            return;
        // Two endpoints of one address are one workload: the last counts.
        var old = Last(before);
        var now = Last(renewed);
        foreach (var uid in now.Keys.ToList())
            now[uid] = Reuse(old.GetValueOrDefault(uid), now[uid]);
        foreach (var workload in old.Values.Where(w => !ReferenceEquals(now.GetValueOrDefault(w.Wds.Uid), w)))
            Endpoints.Remove(workload);
        foreach (var (uid, workload) in now)
        {
            var previous = old.GetValueOrDefault(uid);
            if (ReferenceEquals(previous, workload))
                continue;
            Endpoints.Add(workload);
            changes.Add((previous, workload));
        }
        changes.AddRange(old.Where(w => !now.ContainsKey(w.Key)).Select(w => ((MeshWorkload?)w.Value, (MeshWorkload?)null)));
        if (now.Count == 0)
            builder.Remove(key);
        else
            builder[key] = [.. now.Values];
    }

    private static Dictionary<string, MeshWorkload> Last(IReadOnlyList<MeshWorkload> workloads)
    {
        var result = new Dictionary<string, MeshWorkload>(workloads.Count, StringComparer.Ordinal);
        foreach (var workload in workloads)
            result[workload.Wds.Uid] = workload;
        return result;
    }

    /// <summary>A workload that means the same keeps its message: it is neither encoded nor sent again.</summary>
    private static MeshWorkload Reuse(MeshWorkload? before, MeshWorkload renewed)
    {
        if (before is null || !before.Wds.Equals(renewed.Wds))
            return renewed;
        var same = ReferenceEquals(before.Source, renewed.Source) && before.Binding == renewed.Binding && LabelSelector.Same(before.Labels, renewed.Labels);
        return same ? before : renewed with { Wds = before.Wds };
    }
}

using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Files;

namespace Mesh.IstiodLite.Sources.Kubernetes;

/// <summary>The objects in force: of each the last version that could be read. One thread.</summary>
internal sealed class ClusterState
{
    private readonly Dictionary<ResourceKey, Resource> _good = [];
    private readonly SortedDictionary<string, IReadOnlyList<Problem>> _problems = new(StringComparer.Ordinal);
    private readonly HashSet<ResourceKey> _kept = [];
    private readonly Dictionary<ResourceKey, Resource?> _changedFrom = [];
    private ResourceSet _taken = ResourceSet.Empty;

    /// <summary>True if something changed in what is in force or in what is wrong.</summary>
    public bool Apply(ClusterObject? before, ClusterObject? after)
    {
        var key = (after ?? before)!.Key;
        var known = _good.GetValueOrDefault(key);
        _kept.Remove(key);
        var problems = _problems.Remove(key.ToString());
        if (after is null)
        {
            Set(key, known, null);
        }
        else if (after.Resource is { } resource)
        {
            Set(key, known, resource);
        }
        else if (known is not null)
        {
            // The API accepted what we cannot read: its last good version stays.
            _kept.Add(key);
        }
        if (after?.Problems.Count > 0)
            _problems[key.ToString()] = after.Problems;
        return problems || after?.Problems.Count > 0 || !ReferenceEquals(known, _good.GetValueOrDefault(key));
    }

    /// <summary>What is in force now; its changes are those since the last call.</summary>
    public FolderState Take()
    {
        var changes = new List<ResourceChange>(_changedFrom.Count);
        foreach (var (key, before) in _changedFrom)
        {
            var after = _good.GetValueOrDefault(key);
            if (!ReferenceEquals(before, after))
                changes.Add(new ResourceChange(before, after));
        }
        _changedFrom.Clear();
        _taken = changes.Count > _good.Count / 2 ? new ResourceSet(_good.Values) : _taken.With(changes);
        return new FolderState(_taken, changes, [.. _problems.Values.SelectMany(p => p)], 0, _kept.Count);
    }

    private void Set(ResourceKey key, Resource? before, Resource? after)
    {
        _changedFrom.TryAdd(key, before);
        if (after is null)
            _good.Remove(key);
        else
            _good[key] = after;
    }
}

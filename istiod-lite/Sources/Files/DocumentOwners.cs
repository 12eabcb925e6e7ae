using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Sources.Files;

/// <summary>
/// Which file's document counts where several files define the same object: the one whose path comes first. Remembers which objects changed since the
/// set was last taken, so that one changed file costs no look at the others.
/// </summary>
internal sealed class DocumentOwners
{
    private readonly Dictionary<ResourceKey, Resource> _owners = [];
    // Only objects that several files define; the paths in order.
    private readonly Dictionary<ResourceKey, SortedDictionary<string, Resource>> _contested = [];
    private readonly Dictionary<ResourceKey, string> _ownerPaths = [];
    private readonly Dictionary<ResourceKey, Resource?> _changedFrom = [];
    private ResourceSet _taken = ResourceSet.Empty;

    /// <summary>The file at <paramref name="path"/> said <paramref name="before"/> and says <paramref name="now"/>.</summary>
    public void Replace(string path, IReadOnlyDictionary<ResourceKey, Resource> before, IReadOnlyDictionary<ResourceKey, Resource> now)
    {
        foreach (var key in before.Keys)
        {
            if (!now.ContainsKey(key))
                Withdraw(path, key);
        }

        foreach (var (key, resource) in now)
            Claim(path, key, resource);
    }

    /// <summary>The set in force and what changed in it since the last call.</summary>
    public (ResourceSet Resources, IReadOnlyList<ResourceChange> Changes) Take()
    {
        var changes = new List<ResourceChange>(_changedFrom.Count);
        foreach (var (key, before) in _changedFrom)
        {
            var after = _owners.GetValueOrDefault(key);
            if (!ReferenceEquals(before, after))
                changes.Add(new ResourceChange(before, after));
        }

        _changedFrom.Clear();
        // A few changes are merged into the set; the first load, or a whole tree that came, is cheaper to sort once.
        _taken = changes.Count > _owners.Count / 2 ? new ResourceSet(_owners.Values) : _taken.With(changes);
        return (_taken, changes);
    }

    /// <summary>Documents that do not count, each with the one that does, in order of files.</summary>
    public IEnumerable<(string Path, Resource Second, Resource First)> Losers() =>
        _contested.SelectMany(c => c.Value.Skip(1).Select(l => (l.Key, l.Value, c.Value.First().Value))).OrderBy(l => l.Key, StringComparer.Ordinal).ThenBy(l => l.Item2.Position.Line);

    public Resource Owner(ResourceKey key) => _owners[key];

    private void Claim(string path, ResourceKey key, Resource resource)
    {
        if (!_ownerPaths.TryGetValue(key, out var owner) || (owner == path && !_contested.ContainsKey(key)))
        {
            _ownerPaths[key] = path;
            Own(key, resource);
            return;
        }

        if (!_contested.TryGetValue(key, out var claims))
            _contested[key] = claims = new SortedDictionary<string, Resource>(StringComparer.Ordinal) { [owner] = _owners[key] };
        claims[path] = resource;
        Decide(key, claims);
    }

    private void Withdraw(string path, ResourceKey key)
    {
        if (!_contested.TryGetValue(key, out var claims))
        {
            _ownerPaths.Remove(key);
            Own(key, null);
            return;
        }

        claims.Remove(path);
        Decide(key, claims);
        if (claims.Count == 1)
            _contested.Remove(key);
    }

    private void Decide(ResourceKey key, SortedDictionary<string, Resource> claims)
    {
        var (path, resource) = claims.First();
        _ownerPaths[key] = path;
        Own(key, resource);
    }

    private void Own(ResourceKey key, Resource? resource)
    {
        _changedFrom.TryAdd(key, _owners.GetValueOrDefault(key));
        if (resource is null)
            _owners.Remove(key);
        else
            _owners[key] = resource;
    }
}

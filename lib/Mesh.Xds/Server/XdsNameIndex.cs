namespace Mesh.Xds.Server;

/// <summary>Finds resources by anything but their name. The table's lock guards it.</summary>
internal sealed class XdsNameIndex
{
    private readonly Dictionary<string, List<string>> _byAlias = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<string>> _byParent = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<string>> _byNode = new(StringComparer.Ordinal);

    public IReadOnlyList<string> WithAlias(string alias) => _byAlias.TryGetValue(alias, out var names) ? [.. names] : [];

    public IReadOnlyList<string> WithParent(string parent) => _byParent.TryGetValue(parent, out var names) ? [.. names] : [];

    public IReadOnlyList<string> OnNode(string node) => _byNode.TryGetValue(node, out var names) ? [.. names] : [];

    public void Add(XdsResource resource)
    {
        foreach (var alias in resource.Aliases)
            Add(_byAlias, alias, resource.Name);
        foreach (var parent in resource.Parents)
            Add(_byParent, parent, resource.Name);
        if (resource.Node is { Length: > 0 } node)
            Add(_byNode, node, resource.Name);
    }

    public void Remove(XdsResource resource)
    {
        foreach (var alias in resource.Aliases)
            Remove(_byAlias, alias, resource.Name);
        foreach (var parent in resource.Parents)
            Remove(_byParent, parent, resource.Name);
        if (resource.Node is { Length: > 0 } node)
            Remove(_byNode, node, resource.Name);
    }

    private static void Add<T>(Dictionary<string, T> index, string key, string name)
        where T : ICollection<string>, new()
    {
        if (!index.TryGetValue(key, out var names))
            index[key] = names = new T();
        names.Add(name);
    }

    private static void Remove<T>(Dictionary<string, T> index, string key, string name)
        where T : ICollection<string>
    {
        if (index.TryGetValue(key, out var names) && names.Remove(name) && names.Count == 0)
            index.Remove(key);
    }
}

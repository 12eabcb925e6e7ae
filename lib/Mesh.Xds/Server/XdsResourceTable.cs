namespace Mesh.Xds.Server;

/// <summary>All current resources of one type. The owner publishes changes, streams look at it when they have room to send. Any thread.</summary>
public sealed class XdsResourceTable(string typeUrl)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, XdsResource> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<string>> _byAlias = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<string>> _byParent = new(StringComparer.Ordinal);
    private readonly List<XdsTypeSession> _sessions = [];

    public string TypeUrl { get; } = typeUrl;

    public int Count
    {
        get
        {
            lock (_gate)
                return _byName.Count;
        }
    }

    /// <summary>Grows with each publication that changed something; the <c>system_version_info</c> of responses.</summary>
    public long Version { get; private set; }

    public XdsResource? Find(string name)
    {
        lock (_gate)
            return _byName.GetValueOrDefault(name);
    }

    public IReadOnlyList<XdsResource> All()
    {
        lock (_gate)
            return [.. _byName.Values.OrderBy(r => r.Name, StringComparer.Ordinal)];
    }

    /// <summary>One batch. Resources whose version is unchanged are ignored. Returns how many names changed.</summary>
    public int Publish(IEnumerable<XdsResource> upserts, IEnumerable<string> removals)
    {
        var changes = new List<XdsChange>();
        XdsTypeSession[] sessions;
        lock (_gate)
        {
            foreach (var name in removals)
            {
                if (_byName.Remove(name, out var gone))
                {
                    Unlink(gone);
                    changes.Add(new XdsChange(name, gone, null));
                }
            }

            foreach (var resource in upserts)
            {
                _byName.TryGetValue(resource.Name, out var before);
                if (before?.Version == resource.Version)
                    continue;
                if (before is not null)
                    Unlink(before);
                _byName[resource.Name] = resource;
                Link(resource);
                changes.Add(new XdsChange(resource.Name, before, resource));
            }

            if (changes.Count > 0)
                Version++;
            sessions = [.. _sessions];
        }

        if (changes.Count > 0)
        {
            foreach (var session in sessions)
                session.Changed(changes);
        }

        return changes.Count;
    }

    /// <summary>Makes the table equal to <paramref name="resources"/>.</summary>
    public int Replace(IReadOnlyCollection<XdsResource> resources)
    {
        var names = resources.Select(r => r.Name).ToHashSet(StringComparer.Ordinal);
        string[] gone;
        lock (_gate)
            gone = [.. _byName.Keys.Where(n => !names.Contains(n))];
        return Publish(resources, gone);
    }

    internal void Attach(XdsTypeSession session)
    {
        lock (_gate)
            _sessions.Add(session);
    }

    internal void Detach(XdsTypeSession session)
    {
        lock (_gate)
            _sessions.Remove(session);
    }

    /// <summary>Looks up many names at once, as of one moment.</summary>
    internal void Collect(IEnumerable<string> names, List<XdsResource> found, List<string> missing)
    {
        lock (_gate)
        {
            foreach (var name in names)
            {
                if (_byName.TryGetValue(name, out var resource))
                    found.Add(resource);
                else
                    missing.Add(name);
            }
        }
    }

    internal void CollectAll(List<XdsResource> found)
    {
        lock (_gate)
            found.AddRange(_byName.Values);
    }

    /// <summary>What a requested name stands for: itself, or everything that has it as an alias.</summary>
    internal IReadOnlyList<string> Resolve(string requested)
    {
        lock (_gate)
        {
            if (_byName.ContainsKey(requested))
                return [requested];
            return _byAlias.TryGetValue(requested, out var names) ? [.. names] : [];
        }
    }

    internal IReadOnlyList<string> ChildrenOf(string parent)
    {
        lock (_gate)
            return _byParent.TryGetValue(parent, out var names) ? [.. names] : [];
    }

    internal IReadOnlyList<string> OnNode(string node)
    {
        lock (_gate)
            return [.. _byName.Values.Where(r => r.Node == node).Select(r => r.Name)];
    }

    private void Link(XdsResource resource)
    {
        foreach (var alias in resource.Aliases)
            Add(_byAlias, alias, resource.Name);
        foreach (var parent in resource.Parents)
            Add(_byParent, parent, resource.Name);

        static void Add(Dictionary<string, List<string>> index, string key, string name)
        {
            if (!index.TryGetValue(key, out var names))
                index[key] = names = [];
            names.Add(name);
        }
    }

    private void Unlink(XdsResource resource)
    {
        foreach (var alias in resource.Aliases)
            Remove(_byAlias, alias, resource.Name);
        foreach (var parent in resource.Parents)
            Remove(_byParent, parent, resource.Name);

        static void Remove(Dictionary<string, List<string>> index, string key, string name)
        {
            if (index.TryGetValue(key, out var names) && names.Remove(name) && names.Count == 0)
                index.Remove(key);
        }
    }
}

/// <summary>One name that changed; <see cref="After"/> is null when it was removed.</summary>
internal readonly record struct XdsChange(string Name, XdsResource? Before, XdsResource? After);

namespace Mesh.Xds.Server;

/// <summary>All current resources of one type. The owner publishes changes, streams look at it when they have room to send. Any thread.</summary>
/// <param name="typeUrl">Of every resource in it.</param>
/// <param name="history">Publications that streams can be brought up to date from without a walk through everything.</param>
/// <param name="maximumGone">Names of removed resources that are remembered for streams that have not heard of it; a stream that is further behind must start again.</param>
public sealed class XdsResourceTable(string typeUrl, int history = 1024, int maximumGone = 50_000)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Entry> _byName = new(StringComparer.Ordinal);
    private readonly XdsNameIndex _index = new();
    private readonly XdsPublicationLog _log = new(history, maximumGone);
    private readonly List<XdsTypeSession> _sessions = [];
    private long _version;
    private XdsSnapshot? _snapshot;

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
    public long Version => Volatile.Read(ref _version);

    /// <summary>Hears when every stream that was there at a publication has answered it, with the <c>since</c> of that publication. Called under the table's lock: must return at once.</summary>
    public Action<long>? Converged { get; set; }

    public XdsResource? Find(string name)
    {
        lock (_gate)
            return _byName.GetValueOrDefault(name).Resource;
    }

    public IReadOnlyList<XdsResource> All() => Snapshot(oldest: Version).Resources;

    /// <summary>One batch. Resources whose version is unchanged are ignored. Returns how many names changed.</summary>
    /// <param name="upserts">New and changed resources.</param>
    /// <param name="removals">Names that are no more; unknown ones are ignored.</param>
    /// <param name="since">When the cause of the change was noticed, a timestamp of the owner's clock; 0: not measured.</param>
    public int Publish(IEnumerable<XdsResource> upserts, IEnumerable<string> removals, long since = 0)
    {
        var changes = new List<XdsChange>();
        XdsTypeSession[] sessions;
        lock (_gate)
        {
            var version = _version + 1;
            foreach (var name in removals)
            {
                if (!_byName.Remove(name, out var gone))
                    continue;
                _index.Remove(gone.Resource);
                changes.Add(new XdsChange(name, gone.Resource, null));
            }

            foreach (var resource in upserts)
            {
                var before = _byName.GetValueOrDefault(resource.Name).Resource;
                if (before?.Version == resource.Version)
                    continue;
                if (before is not null)
                    _index.Remove(before);
                _byName[resource.Name] = new Entry(resource, version);
                _index.Add(resource);
                changes.Add(new XdsChange(resource.Name, before, resource));
            }

            if (changes.Count == 0)
                return 0;
            sessions = [.. _sessions];
            _log.Add(new XdsPublication(version, changes, since, sessions.Count(s => s.IsCounted)));
            Volatile.Write(ref _version, version);
        }

        foreach (var session in sessions)
            session.Changed(changes);
        return changes.Count;
    }

    /// <summary>Makes the table equal to <paramref name="resources"/>.</summary>
    public int Replace(IReadOnlyCollection<XdsResource> resources, long since = 0)
    {
        var names = resources.Select(r => r.Name).ToHashSet(StringComparer.Ordinal);
        string[] gone;
        lock (_gate)
            gone = [.. _byName.Keys.Where(n => !names.Contains(n))];
        return Publish(resources, gone, since);
    }

    /// <summary>From now on the session is told of changes. Returns the version from which on.</summary>
    internal long Attach(XdsTypeSession session)
    {
        lock (_gate)
        {
            _sessions.Add(session);
            return _version;
        }
    }

    /// <param name="session">Is told of nothing more.</param>
    /// <param name="answered">What it has answered; the rest will not wait for it.</param>
    internal void Detach(XdsTypeSession session, long answered)
    {
        lock (_gate)
        {
            if (_sessions.Remove(session) && session.IsCounted)
                Uncount(session, answered);
        }
    }

    /// <summary>Publications wait for this session no longer.</summary>
    internal void Uncount(XdsTypeSession session, long answered)
    {
        lock (_gate)
        {
            if (!session.IsCounted)
                return;
            session.IsCounted = false;
            // What it leaves unanswered has not converged on it: not reported.
            foreach (var publication in _log.Between(answered, _version))
                publication.Unanswered--;
        }
    }

    /// <summary>A counted session has answered everything after <paramref name="from"/> up to <paramref name="to"/>.</summary>
    internal void Answered(long from, long to)
    {
        lock (_gate)
        {
            foreach (var publication in _log.Between(from, to))
            {
                if (--publication.Unanswered == 0 && publication.Since != 0)
                    Converged?.Invoke(publication.Since);
            }
        }
    }

    /// <summary>Everything as of one moment, in order of names; shared by all streams that start at about the same time.</summary>
    /// <param name="oldest">How old it may be; streams get what changed after it as changes.</param>
    internal XdsSnapshot Snapshot(long oldest)
    {
        lock (_gate)
        {
            if (_snapshot is { } known && known.Version >= oldest && _log.Reaches(known.Version))
                return known;
            var resources = new XdsResource[_byName.Count];
            var i = 0;
            foreach (var entry in _byName.Values)
                resources[i++] = entry.Resource;
            Array.Sort(resources, static (a, b) => string.CompareOrdinal(a.Name, b.Name));
            return _snapshot = new XdsSnapshot(_version, resources);
        }
    }

    /// <summary>What changed after <paramref name="from"/>: up to <paramref name="to"/> and shared by all streams that ask the same, or up to now if that is too long ago. Null: not known any more.</summary>
    internal XdsDifference? Difference(long from, long to)
    {
        lock (_gate)
        {
            if (_log.Difference(from, to) is { } recent)
                return recent;
            if (_log.GoneSince(from) is not { } gone)
                return null;
            var changed = _byName.Values.Where(e => e.ChangedAt > from).Select(e => e.Resource).OrderBy(r => r.Name, StringComparer.Ordinal);
            return new XdsDifference(from, _version, [.. changed], gone, since: 0);
        }
    }

    /// <summary>Resources that are now as they were at a version, in no order.</summary>
    internal IReadOnlyList<XdsResource> UnchangedSince(long version)
    {
        lock (_gate)
            return [.. _byName.Values.Where(e => e.ChangedAt <= version).Select(e => e.Resource)];
    }

    /// <summary>Looks up many names at once, as of one moment.</summary>
    internal void Collect(IEnumerable<string> names, List<XdsResource> found, List<string> missing)
    {
        lock (_gate)
        {
            foreach (var name in names)
            {
                if (_byName.TryGetValue(name, out var entry))
                    found.Add(entry.Resource);
                else
                    missing.Add(name);
            }
        }
    }

    /// <summary>What a requested name stands for: itself, or everything that has it as an alias.</summary>
    internal IReadOnlyList<string> Resolve(string requested)
    {
        lock (_gate)
            return _byName.ContainsKey(requested) ? [requested] : _index.WithAlias(requested);
    }

    internal IReadOnlyList<string> ChildrenOf(string parent)
    {
        lock (_gate)
            return _index.WithParent(parent);
    }

    internal IReadOnlyList<string> OnNode(string node)
    {
        lock (_gate)
            return _index.OnNode(node);
    }

    private readonly record struct Entry(XdsResource Resource, long ChangedAt);
}

/// <summary>One name that changed; <see cref="After"/> is null when it was removed.</summary>
internal readonly record struct XdsChange(string Name, XdsResource? Before, XdsResource? After);

/// <summary>All resources as of one version, sorted by name.</summary>
internal sealed record XdsSnapshot(long Version, IReadOnlyList<XdsResource> Resources);

using Envoy.Service.Discovery.V3;

namespace Mesh.Xds.Server;

/// <summary>One type on one stream: what the client asked for, and what it must hear about next.</summary>
/// <remarks>
/// A wildcard stream is a position in the table's versions, nothing else; streams at one position are sent one shared response. An on-demand stream has a set of
/// names that changes are added to, and what is sent is looked up at the moment of sending. So a slow client costs a number or one set of names,
/// and of ten changes of a resource it sees the last. All members under <c>_gate</c>; the table is asked with it held, and calls us without its own lock.
/// </remarks>
internal sealed class XdsTypeSession(XdsResourceTable table, IXdsAudience? audience, int maximumPending, Action wake)
{
    private readonly Lock _gate = new();
    private readonly HashSet<string> _subscribed = new(StringComparer.Ordinal);
    private HashSet<string> _pending = new(StringComparer.Ordinal);
    private HashSet<string> _answerNames = new(StringComparer.Ordinal);
    private Dictionary<string, string>? _clientHas;
    private bool _everything;
    private bool _mustReply;
    private bool _started;
    private string? _node;
    // Of a wildcard stream with an audience: what it has been sent.
    private HashSet<string>? _shown;
    private long _audienceSeen;
    private long _position;
    private long _answered;

    public string TypeUrl => table.TypeUrl;

    /// <summary>The table's version now.</summary>
    public long Head => table.Version;

    public bool IsWildcard { get; private set; }

    /// <summary>Publications wait for this session's answer before they count as converged. Set before it is attached; cleared by the table, under its lock.</summary>
    public bool IsCounted { get; set; }

    public int SubscribedNames
    {
        get
        {
            lock (_gate)
                return _subscribed.Count;
        }
    }

    /// <summary>Something changed that the client has not been sent yet.</summary>
    public bool HasPending
    {
        get
        {
            lock (_gate)
                return _mustReply || _pending.Count > 0 || IsBehind(table.Version);
        }
    }

    /// <summary>The client is too far behind: the stream must end, the reconnect starts from what the client has.</summary>
    public bool IsOverrun { get; private set; }

    /// <summary>The subscription part of a request; acknowledgements are the stream's business.</summary>
    public void Requested(DeltaDiscoveryRequest request, string? node)
    {
        var attach = false;
        lock (_gate)
        {
            if (!_started)
            {
                _started = true;
                attach = true;
                Start(request, node);
            }
            else if (request.ResourceNamesUnsubscribe.Contains("*"))
            {
                IsWildcard = false;
                table.Uncount(this, _answered);
            }

            foreach (var name in request.ResourceNamesUnsubscribe)
                _subscribed.Remove(name);
        }

        Subscribe(request.ResourceNamesSubscribe.Where(n => n != "*" && !request.ResourceNamesUnsubscribe.Contains(n)));
        if (!attach && request.ResourceNamesSubscribe.Contains("*") && !request.ResourceNamesUnsubscribe.Contains("*"))
            BecomeWildcard();
        wake();
    }

    /// <summary>The client has accepted or refused a response; either way it has answered everything up to its version.</summary>
    public void Answered(long version)
    {
        long from;
        lock (_gate)
        {
            if (!IsCounted || version <= _answered || version > _position)
                return;
            (from, _answered) = (_answered, version);
        }

        table.Answered(from, version);
    }

    public void Changed(IReadOnlyList<XdsChange> changes)
    {
        lock (_gate)
        {
            if (!IsWildcard)
            {
                foreach (var change in changes)
                {
                    if (Concerns(change))
                        _pending.Add(change.Name);
                }

                if (_pending.Count > maximumPending + table.Count)
                    IsOverrun = true;
                if (_pending.Count == 0)
                    return;
            }
        }

        wake();
    }

    /// <summary>The next batch, or null when there is nothing to say.</summary>
    /// <param name="head">The table's version up to which changes may be told now.</param>
    public XdsBatch? Take(long head)
    {
        HashSet<string> names;
        HashSet<string> answers;
        Dictionary<string, string>? clientHas;
        bool wildcard;
        long version;
        lock (_gate)
        {
            if (!_mustReply && _pending.Count == 0)
                return !IsBehind(head) ? null : audience is null ? TakeDifference(head) : TakeVisibleDifference(head, audience);
            (answers, _answerNames) = (_answerNames, new HashSet<string>(StringComparer.Ordinal));
            (clientHas, _clientHas) = (_clientHas, null);
            _mustReply = false;
            if (_everything)
            {
                _everything = false;
                _pending.Clear();
                return TakeEverything(clientHas, answers);
            }

            (names, _pending) = (_pending, new HashSet<string>(StringComparer.Ordinal));
            wildcard = IsWildcard;
            version = wildcard ? _position : head;
        }

        var resources = new List<XdsResource>();
        var removed = new List<string>();
        table.Collect(names, resources, removed);
        if (clientHas is not null)
            resources.RemoveAll(r => Has(clientHas, r));
        if (audience is not null)
        {
            removed.AddRange(resources.Where(r => !audience.MaySee(r)).Select(r => r.Name));
            resources.RemoveAll(r => !audience.MaySee(r));
        }

        removed.AddRange(answers.Where(a => !removed.Contains(a)));
        resources.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        return new XdsBatch(version, resources, removed, WithAliases: !wildcard, Shared: null);
    }

    public void Close()
    {
        if (audience is not null)
            audience.Changed -= wake;
        lock (_gate)
            table.Detach(this, _answered);
    }

    private XdsBatch? TakeDifference(long head)
    {
        if (table.Difference(_position, head) is not { } difference)
        {
            IsOverrun = true;
            return null;
        }

        _position = difference.To;
        return new XdsBatch(difference.To, difference.Resources, difference.Removed, WithAliases: false, Shared: difference);
    }

    private bool IsBehind(long head) => IsWildcard && (_position < head || (audience is not null && audience.Generation != _audienceSeen));

    /// <summary>What changed among what it may see, what it may see now, and what it may not see any more. Null: nothing of that.</summary>
    private XdsBatch? TakeVisibleDifference(long head, IXdsAudience audience)
    {
        if (table.Difference(_position, head) is not { } difference)
        {
            IsOverrun = true;
            return null;
        }

        _position = Math.Max(_position, difference.To);
        var resources = new List<XdsResource>();
        var removed = difference.Removed.Where(_shown!.Remove).ToList();
        foreach (var resource in difference.Resources)
        {
            if (audience.MaySee(resource))
                resources.Add(resource);
            else if (_shown.Contains(resource.Name))
                removed.Add(resource.Name);
        }

        var generation = audience.Generation;
        if (generation != _audienceSeen)
        {
            _audienceSeen = generation;
            // What changed after the position comes with the next difference; before it nothing may be told that earlier tables have not told yet.
            var all = table.UnchangedSince(_position);
            resources.AddRange(all.Where(r => !_shown.Contains(r.Name) && audience.MaySee(r) && !resources.Exists(s => s.Name == r.Name)));
            removed.AddRange(all.Where(r => _shown.Contains(r.Name) && !audience.MaySee(r) && !removed.Contains(r.Name)).Select(r => r.Name));
        }

        _shown.UnionWith(resources.Select(r => r.Name));
        _shown.ExceptWith(removed);
        return resources.Count + removed.Count == 0 ? null : new XdsBatch(_position, resources, removed, WithAliases: false, Shared: null);
    }

    private XdsBatch TakeEverything(Dictionary<string, string>? clientHas, HashSet<string> answers)
    {
        // Who starts with nothing may be given what others were given a moment ago; who has something must not be led back in time.
        var snapshot = table.Snapshot(oldest: clientHas is null ? 0 : table.Version);
        _position = snapshot.Version;
        if (audience is not null)
        {
            _audienceSeen = audience.Generation;
            snapshot = new XdsSnapshot(snapshot.Version, [.. snapshot.Resources.Where(audience.MaySee)]);
            _shown = snapshot.Resources.Select(r => r.Name).ToHashSet(StringComparer.Ordinal);
        }

        if (clientHas is null)
            return new XdsBatch(snapshot.Version, snapshot.Resources, [.. answers], WithAliases: false, Shared: null);
        var missing = new HashSet<string>(clientHas.Keys, StringComparer.Ordinal);
        var resources = new List<XdsResource>();
        foreach (var resource in snapshot.Resources)
        {
            missing.Remove(resource.Name);
            if (!Has(clientHas, resource))
                resources.Add(resource);
        }

        missing.UnionWith(answers);
        return new XdsBatch(snapshot.Version, resources, [.. missing], WithAliases: false, Shared: null);
    }

    private static bool Has(Dictionary<string, string> client, XdsResource resource) =>
        client.TryGetValue(resource.Name, out var version) && version == resource.Version && version.Length > 0;

    private void Start(DeltaDiscoveryRequest request, string? node)
    {
        var subscribe = request.ResourceNamesSubscribe;
        var nothing = request.ResourceNamesUnsubscribe.Contains("*");
        IsWildcard = !nothing && (subscribe.Count == 0 || subscribe.Contains("*"));
        // A change that a client may not see is never answered by it.
        IsCounted = IsWildcard && audience is null;
        if (audience is not null)
            audience.Changed += wake;
        _everything = IsWildcard;
        _mustReply = true; // a client becomes ready by the first response, however empty
        _clientHas = request.InitialResourceVersions.Count > 0 ? request.InitialResourceVersions.ToDictionary(StringComparer.Ordinal) : null;
        // Changes must be heard before anything is looked up, or one could fall between.
        _answered = table.Attach(this);
        if (IsWildcard)
            return;
        _node = node;
        foreach (var name in request.InitialResourceVersions.Keys)
            Include(name);
        if (node is { Length: > 0 })
        {
            foreach (var name in table.OnNode(node))
                _pending.Add(name);
        }
    }

    private void BecomeWildcard()
    {
        lock (_gate)
        {
            IsWildcard = true;
            _everything = true;
            _mustReply = true;
        }
    }

    private void Subscribe(IEnumerable<string> names)
    {
        lock (_gate)
        {
            foreach (var name in names)
            {
                _mustReply = true;
                Include(name);
            }
        }
    }

    /// <summary>A requested name, what it resolves to, and what belongs to that.</summary>
    private void Include(string name)
    {
        _subscribed.Add(name);
        var resolved = table.Resolve(name);
        if (resolved.Count == 0)
        {
            _pending.Add(name); // not there: will be listed as removed
            return;
        }

        // An alias is not the name of a resource. Saying so releases clients that wait for exactly the name they asked for.
        if (!resolved.Contains(name))
            _answerNames.Add(name);
        foreach (var actual in resolved)
        {
            _subscribed.Add(actual);
            _pending.Add(actual);
            foreach (var child in table.ChildrenOf(actual))
            {
                _subscribed.Add(child);
                _pending.Add(child);
            }
        }
    }

    private bool Concerns(in XdsChange change)
    {
        if (_subscribed.Contains(change.Name))
            return IncludeChildren(change);
        if (change.After is not { } resource)
            return false;
        if (resource.Aliases.Any(_subscribed.Contains) || resource.Parents.Any(_subscribed.Contains) || (_node is { Length: > 0 } && resource.Node == _node))
        {
            _subscribed.Add(change.Name);
            return IncludeChildren(change);
        }

        return false;
    }

    // A service that appears under a subscribed name brings the workloads that were there before it.
    private bool IncludeChildren(in XdsChange change)
    {
        if (change is not { Before: null, After: not null })
            return true;
        foreach (var child in table.ChildrenOf(change.Name))
        {
            if (_subscribed.Add(child))
                _pending.Add(child);
        }

        return true;
    }
}

/// <summary>What one response says. <see cref="Shared"/>: many streams are told the same.</summary>
internal sealed record XdsBatch(long Version, IReadOnlyList<XdsResource> Resources, IReadOnlyList<string> Removed, bool WithAliases, XdsDifference? Shared);

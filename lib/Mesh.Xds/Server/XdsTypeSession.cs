using Envoy.Service.Discovery.V3;

namespace Mesh.Xds.Server;

/// <summary>One type on one stream: what the client asked for, and which names it must hear about next.</summary>
/// <remarks>
/// Changes only add names to a set; what is sent is looked up at the moment of sending. So a slow client costs one set of names,
/// and of ten changes of a resource it sees the last. All members under <c>_gate</c>; the table is asked with it held, and calls us without its own lock.
/// </remarks>
internal sealed class XdsTypeSession
{
    private readonly XdsResourceTable _table;
    private readonly Action _wake;
    private readonly int _maximumPending;
    private readonly Lock _gate = new();
    private readonly HashSet<string> _subscribed = new(StringComparer.Ordinal);
    private HashSet<string> _pending = new(StringComparer.Ordinal);
    private HashSet<string> _answerNames = new(StringComparer.Ordinal);
    private Dictionary<string, string>? _clientHas;
    private bool _everything;
    private bool _mustReply;
    private bool _started;
    private string? _node;

    public XdsTypeSession(XdsResourceTable table, int maximumPending, Action wake)
    {
        _table = table;
        _maximumPending = maximumPending;
        _wake = wake;
    }

    public string TypeUrl => _table.TypeUrl;

    public bool IsWildcard { get; private set; }

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
                return _mustReply || _pending.Count > 0;
        }
    }

    /// <summary>Too many names wait: the stream must end, the reconnect starts from what the client has.</summary>
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
            }

            foreach (var name in request.ResourceNamesUnsubscribe)
                _subscribed.Remove(name);
        }

        // Changes must be heard before anything is looked up, or one could fall between.
        if (attach)
            _table.Attach(this);
        Subscribe(request.ResourceNamesSubscribe.Where(n => n != "*" && !request.ResourceNamesUnsubscribe.Contains(n)));
        if (!attach && request.ResourceNamesSubscribe.Contains("*") && !request.ResourceNamesUnsubscribe.Contains("*"))
            BecomeWildcard();
        _wake();
    }

    public void Changed(IReadOnlyList<XdsChange> changes)
    {
        lock (_gate)
        {
            foreach (var change in changes)
            {
                if (IsWildcard || Concerns(change))
                    _pending.Add(change.Name);
            }

            if (_pending.Count > _maximumPending + _table.Count)
                IsOverrun = true;
            if (_pending.Count == 0)
                return;
        }

        _wake();
    }

    /// <summary>The next batch, or null when there is nothing to say.</summary>
    public XdsBatch? Take()
    {
        HashSet<string> names;
        HashSet<string> answers;
        Dictionary<string, string>? clientHas;
        bool everything;
        bool wildcard;
        lock (_gate)
        {
            if (!_mustReply && _pending.Count == 0)
                return null;
            (names, _pending) = (_pending, new HashSet<string>(StringComparer.Ordinal));
            (answers, _answerNames) = (_answerNames, new HashSet<string>(StringComparer.Ordinal));
            (clientHas, _clientHas) = (_clientHas, null);
            (everything, _everything) = (_everything, false);
            _mustReply = false;
            wildcard = IsWildcard;
        }

        var resources = new List<XdsResource>();
        var removed = new List<string>();
        if (everything)
            _table.CollectAll(resources);
        else
            _table.Collect(names, resources, removed);
        if (clientHas is not null)
        {
            resources.RemoveAll(r => clientHas.TryGetValue(r.Name, out var version) && version == r.Version && version.Length > 0);
            if (everything)
                removed.AddRange(clientHas.Keys.Where(n => _table.Find(n) is null));
        }

        removed.AddRange(answers.Where(a => !removed.Contains(a)));
        resources.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        return new XdsBatch(resources, removed, WithAliases: !wildcard);
    }

    public void Close() => _table.Detach(this);

    private void Start(DeltaDiscoveryRequest request, string? node)
    {
        var subscribe = request.ResourceNamesSubscribe;
        var nothing = request.ResourceNamesUnsubscribe.Contains("*");
        IsWildcard = !nothing && (subscribe.Count == 0 || subscribe.Contains("*"));
        _everything = IsWildcard;
        _mustReply = true; // a client becomes ready by the first response, however empty
        _clientHas = request.InitialResourceVersions.Count > 0 ? request.InitialResourceVersions.ToDictionary(StringComparer.Ordinal) : null;
        if (IsWildcard)
            return;
        _node = node;
        foreach (var name in request.InitialResourceVersions.Keys)
            Include(name);
        if (node is { Length: > 0 })
        {
            foreach (var name in _table.OnNode(node))
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
        var resolved = _table.Resolve(name);
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
            foreach (var child in _table.ChildrenOf(actual))
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
        foreach (var child in _table.ChildrenOf(change.Name))
        {
            if (_subscribed.Add(child))
                _pending.Add(child);
        }

        return true;
    }
}

/// <summary>What one response says.</summary>
internal sealed record XdsBatch(IReadOnlyList<XdsResource> Resources, IReadOnlyList<string> Removed, bool WithAliases);

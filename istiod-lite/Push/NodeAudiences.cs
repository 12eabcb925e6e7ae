using System.Collections.Concurrent;
using System.Collections.Immutable;
using Mesh.Xds.Server;

namespace Mesh.IstiodLite.Push;

/// <summary>Which namespaces have workloads on which node: an agent that is scoped to its node is sent nothing that only other namespaces may know or use.</summary>
internal sealed class NodeAudiences
{
    private readonly ConcurrentDictionary<string, Audience> _nodes = new(StringComparer.Ordinal);

    // the publishing thread only
    private readonly Dictionary<string, (string Node, string Namespace)> _places = new(StringComparer.Ordinal);

    public IXdsAudience For(string node) => _nodes.GetOrAdd(node, static _ => new Audience());

    /// <summary>
    /// A workload is at a place now, or nowhere. To be called before it is published: what its node must know about its namespace goes first. Returns the place that it left,
    /// for <see cref="Leave"/> after it is published: nothing is taken from a node while the workload is still to be told of.
    /// </summary>
    public (string Node, string Namespace)? Place(string uid, string? node, string ns)
    {
        var had = _places.TryGetValue(uid, out var before);
        if (had && before == (node, ns))
            return null;
        if (string.IsNullOrEmpty(node))
        {
            _places.Remove(uid);
        }
        else
        {
            _places[uid] = (node, ns);
            ((Audience)For(node)).Count(ns, 1);
        }

        return had ? before : null;
    }

    public void Leave((string Node, string Namespace) place) => ((Audience)For(place.Node)).Count(place.Namespace, -1);

    /// <summary>Workloads that have a place, for a look at which of them are gone.</summary>
    public IReadOnlyCollection<string> Placed => _places.Keys;

    private sealed class Audience : IXdsAudience
    {
        private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);
        private volatile ImmutableHashSet<string> _namespaces = ImmutableHashSet.Create<string>(StringComparer.Ordinal);
        private long _generation;

        public event Action? Changed;

        public long Generation => Interlocked.Read(ref _generation);

        public bool MaySee(XdsResource resource) => resource.Audience is not { } ns || _namespaces.Contains(ns);

        public void Count(string ns, int difference)
        {
            var before = _counts.GetValueOrDefault(ns);
            var after = _counts[ns] = before + difference;
            if (before == 0 == (after == 0))
                return;
            _namespaces = after == 0 ? _namespaces.Remove(ns) : _namespaces.Add(ns);
            Interlocked.Increment(ref _generation);
            Changed?.Invoke();
        }
    }
}

using System.Diagnostics.CodeAnalysis;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>Connections between the same two ends share one <see cref="ConnectionContext"/>: what an idle connection keeps is what only it has. Loop only.</summary>
internal sealed class ContextMemory
{
    /// <summary>Pairs of ends that one loop remembers; it forgets all when there are more, which costs a little memory and no correctness.</summary>
    private const int Capacity = 1024;

    private readonly HashSet<ConnectionContext> _known = new(ByEnds.Instance);

    /// <summary>The equal one that is known already, or this one from now on.</summary>
    public ConnectionContext Shared(ConnectionContext context)
    {
        if (_known.TryGetValue(context, out var known))
            return known;
        if (_known.Count >= Capacity)
            _known.Clear();
        _known.Add(context);
        return context;
    }

    /// <summary>
    /// Two contexts are the same when they hold the same records (a changed workload is another record) and say the same; comparing workloads
    /// part by part would cost more than it saves.
    /// </summary>
    private sealed class ByEnds : IEqualityComparer<ConnectionContext>
    {
        public static readonly ByEnds Instance = new();

        public bool Equals(ConnectionContext? x, ConnectionContext? y) => ReferenceEquals(x, y) || (x is not null && y is not null
            && ReferenceEquals(x.Source, y.Source) && ReferenceEquals(x.Destination, y.Destination) && ReferenceEquals(x.Service, y.Service)
            && x == y);

        public int GetHashCode([DisallowNull] ConnectionContext context) => HashCode.Combine(context.Source?.Uid, context.Destination?.Uid, context.Hop, context.HboneTarget, context.Route);
    }
}

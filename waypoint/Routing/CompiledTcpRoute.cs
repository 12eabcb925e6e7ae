using System.Net;
using Mesh.Waypoint.Balancing;

namespace Mesh.Waypoint.Routing;

/// <summary>A route for connections that are not HTTP (reference 1.14).</summary>
internal sealed class CompiledTcpRoute
{
    private readonly TcpMatcher[] _matches;

    public CompiledTcpRoute(V1.TcpRoute route, ClusterRegistry clusters)
    {
        Origin = route.Origin;
        _matches = [.. route.Matches.Select(m => new TcpMatcher(m))];
        Targets = new WeightedPick<ClusterState>([.. route.Clusters.Select(c => (clusters.Reference(c.Cluster), c.Weight))]);
    }

    public string Origin { get; }

    public WeightedPick<ClusterState> Targets { get; }

    public bool Matches(Caller caller, OriginalDestination original) =>
        _matches.Length == 0 || Array.Exists(_matches, m => m.Matches(caller, original));

    private sealed class TcpMatcher
    {
        private readonly AddressRange[] _subnets;
        private readonly string[] _namespaces;
        private readonly bool _neverMatches;

        public TcpMatcher(V1.TcpMatch match)
        {
            _subnets = [.. match.DestinationSubnets.Select(c => new AddressRange(new IPAddress(c.Address.Span), (int)c.Length))];
            _namespaces = [.. match.SourceNamespaces];
            _neverMatches = match.SourceLabels.Count > 0;
        }

        // SNI is not looked at: on a waypoint a TLS route holds where its host is the service's own, which the control plane decides.
        public bool Matches(Caller caller, OriginalDestination original) =>
            !_neverMatches
            && (_subnets.Length == 0 || Array.Exists(_subnets, s => s.Contains(original.Address)))
            && (_namespaces.Length == 0 || Array.IndexOf(_namespaces, caller.Namespace) >= 0);
    }
}

using System.Net;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Telemetry.AccessLogs;
using Mesh.Waypoint.Telemetry.Overrides;
using Mesh.Waypoint.Telemetry.Tracing;

namespace Mesh.Waypoint.Routing;

/// <summary>One service (or one workload addressed directly) that this waypoint serves. Immutable.</summary>
internal sealed class Destination
{
    private readonly Dictionary<int, PortRoutes> _ports;
    private readonly PortRoutes? _anyPort;

    public Destination(V1.Service service, ClusterRegistry clusters)
    {
        Name = service.Name;
        Namespace = service.Namespace;
        Hostname = service.Hostname;
        IsWorkload = service.Workload;
        PolicyNames = [.. service.Policies];
        Addresses = [.. service.Addresses.Select(a => ParseAddress(a.Span, service))];
        Tracing = service.Telemetry?.Tracing is { } tracing ? new TracingRule(tracing) : null;
        IsLogged = service.Telemetry?.AccessLogDisabled != true;
        AccessLog = service.Telemetry?.AccessLog is { } log ? new AccessLogRule(log) : null;
        Metrics = service.Telemetry?.Metrics is { Count: > 0 } overrides ? new MetricRules(overrides) : null;
        _ports = service.Ports.Where(p => p.Port != 0).ToDictionary(p => (int)p.Port, p => new PortRoutes(p, clusters));
        _anyPort = service.Ports.FirstOrDefault(p => p.Port == 0) is { } any ? new PortRoutes(any, clusters) : null;
    }

    public string Name { get; }

    public string Namespace { get; }

    public string Hostname { get; }

    public bool IsWorkload { get; }

    public IReadOnlyList<IPAddress> Addresses { get; }

    public IReadOnlyList<string> PolicyNames { get; }

    /// <summary>Null: requests are not traced.</summary>
    public TracingRule? Tracing { get; }

    public bool IsLogged { get; }

    /// <summary>Null: everything is logged, in the waypoint's own lines.</summary>
    public AccessLogRule? AccessLog { get; }

    /// <summary>Null: metrics are as they always are.</summary>
    public MetricRules? Metrics { get; }

    /// <summary>With 0 for "any port".</summary>
    public IEnumerable<(int Number, PortRoutes Port)> Ports =>
        _ports.Select(p => (p.Key, p.Value)).Concat(_anyPort is null ? [] : [(0, _anyPort)]);

    public PortRoutes? Port(int port) => _ports.GetValueOrDefault(port) ?? _anyPort;

    private static IPAddress ParseAddress(ReadOnlySpan<byte> bytes, V1.Service service)
    {
        if (bytes.Length is not (4 or 16))
            throw new ConfigurationException($"service {service.Namespace}/{service.Hostname}: an address has {bytes.Length} bytes, 4 or 16 are allowed");
        var address = new IPAddress(bytes);
        return address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
    }
}

/// <summary>The routes of one port.</summary>
internal sealed class PortRoutes
{
    // Fewer are asked one after the other: tables would be made for little.
    private const int FewestIndexed = 16;

    private readonly CompiledRoute[] _routes;
    private readonly RouteIndex? _index;

    public PortRoutes(V1.ServicePort port, ClusterRegistry clusters)
    {
        Protocol = port.Protocol;
        DefaultCluster = port.DefaultCluster.Length == 0 ? null : clusters.Reference(port.DefaultCluster);
        _routes = port.HttpRoutes.Count > 0 ? [.. port.HttpRoutes.Select(r => new CompiledRoute(r, clusters))]
            : port.DefaultCluster.Length > 0 ? [CompiledRoute.ToCluster(port.DefaultCluster, clusters)]
            : [];
        _index = _routes.Length >= FewestIndexed ? new RouteIndex(_routes) : null;
        LooksAtClaims = Array.Exists(_routes, r => r.LooksAtClaims);
        TcpRoutes = [.. port.TcpRoutes.Select(r => new CompiledTcpRoute(r, clusters))];
    }

    public V1.Protocol Protocol { get; }

    /// <summary>The route has to be chosen again when the request's token was looked at.</summary>
    public bool LooksAtClaims { get; }

    public ClusterState? DefaultCluster { get; }

    public IReadOnlyList<CompiledTcpRoute> TcpRoutes { get; }

    public IReadOnlyList<CompiledRoute> Routes => _routes;

    /// <summary>TCP and TLS are opaque here; everything else is HTTP or is found out by its first bytes.</summary>
    public bool IsOpaque => Protocol is V1.Protocol.Tcp or V1.Protocol.Tls;

    /// <summary>First match wins; none: 404.</summary>
    public (CompiledRoute Route, RouteMatcher Match)? Match(RequestFacts request)
    {
        if (_index is not null)
            return _index.Match(request);
        foreach (var route in _routes)
        {
            if (route.Match(request) is { } match)
                return (route, match);
        }

        return null;
    }

    /// <summary>The cluster of a connection that is not HTTP.</summary>
    public ClusterState? MatchTcp(Caller caller, OriginalDestination original, Random random)
    {
        foreach (var route in TcpRoutes)
        {
            if (route.Matches(caller, original))
                return route.Targets.IsEmpty ? null : route.Targets.Pick(random);
        }

        return DefaultCluster;
    }
}

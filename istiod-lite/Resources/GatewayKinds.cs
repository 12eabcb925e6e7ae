namespace Mesh.IstiodLite.Resources;

internal sealed class GatewayClass : Resource
{
    public override string Kind => "GatewayClass";
    public string ControllerName { get; init; } = string.Empty;
}

internal sealed record GatewayStatusAddress(string Type, string Value);

internal sealed record GatewayListener(string Name, int Port, string Protocol, string AllowedFrom, LabelSelector? AllowedNamespaces);

internal sealed class Gateway : Resource
{
    public override string Kind => "Gateway";
    public string ClassName { get; init; } = string.Empty;
    public IReadOnlyList<GatewayListener> Listeners { get; init; } = [];
    public IReadOnlyList<GatewayStatusAddress> SpecAddresses { get; init; } = [];
    public IReadOnlyList<GatewayStatusAddress> StatusAddresses { get; init; } = [];
    public IReadOnlyDictionary<string, string> InfrastructureLabels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    public IReadOnlyDictionary<string, string> InfrastructureAnnotations { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    /// <summary>The ConfigMap of spec.infrastructure.parametersRef, in the Gateway's namespace.</summary>
    public string? ParametersName { get; init; }
}

/// <summary>A reference from a route to a parent or a backend; fields are null where the document does not say.</summary>
internal sealed record RouteReference
{
    public string? Group { get; init; }
    public string? Kind { get; init; }
    public string Name { get; init; } = string.Empty;
    public string? Namespace { get; init; }
    public int? Port { get; init; }
    public string? SectionName { get; init; }
}

internal enum GatewayPathType
{
    PathPrefix,
    Exact,
    RegularExpression,
}

internal sealed record GatewayValueMatch(string Name, string Value, bool Regex);

internal sealed record GatewayMatch
{
    public GatewayPathType PathType { get; init; }
    public string Path { get; init; } = "/";
    public string? Method { get; init; }
    public IReadOnlyList<GatewayValueMatch> Headers { get; init; } = [];
    public IReadOnlyList<GatewayValueMatch> QueryParams { get; init; } = [];
}

internal sealed record GatewayPathModifier(bool IsPrefix, string Value);

internal sealed record GatewayFilter
{
    public required string Type { get; init; }
    public HeaderOperations? Headers { get; init; }
    public string? Scheme { get; init; }
    public string? Hostname { get; init; }
    public GatewayPathModifier? Path { get; init; }
    public int? Port { get; init; }
    public int? StatusCode { get; init; }
    public RouteReference? MirrorBackend { get; init; }
    public double MirrorPercent { get; init; } = 100;
    public CorsPolicy? Cors { get; init; }
}

internal sealed record GatewayBackend(RouteReference Reference, int Weight, IReadOnlyList<GatewayFilter> Filters);

internal sealed record GatewayRetry(IReadOnlyList<int> Codes, int? Attempts, TimeSpan? Backoff);

internal sealed record GatewayRouteRule
{
    public string? Name { get; init; }
    public IReadOnlyList<GatewayMatch> Matches { get; init; } = [];
    public IReadOnlyList<GatewayFilter> Filters { get; init; } = [];
    public IReadOnlyList<GatewayBackend> Backends { get; init; } = [];
    public TimeSpan? RequestTimeout { get; init; }
    public TimeSpan? BackendTimeout { get; init; }
    public GatewayRetry? Retry { get; init; }
}

/// <summary>What all routes of Gateway API share.</summary>
internal abstract class GatewayRoute : Resource
{
    public IReadOnlyList<RouteReference> Parents { get; init; } = [];
    public abstract IEnumerable<RouteReference> Destinations { get; }
}

/// <summary>HTTPRoute, and GRPCRoute whose methods are paths.</summary>
internal sealed class HttpRouteResource : GatewayRoute
{
    public bool IsGrpc { get; init; }
    public override string Kind => IsGrpc ? "GRPCRoute" : "HTTPRoute";
    public IReadOnlyList<GatewayRouteRule> Rules { get; init; } = [];
    public override IEnumerable<RouteReference> Destinations => Rules.SelectMany(r => r.Backends).Select(b => b.Reference);
}

/// <summary>TCPRoute and TLSRoute. Rules have nothing to match, so the first counts.</summary>
internal sealed class L4RouteResource : GatewayRoute
{
    public bool IsTls { get; init; }
    public override string Kind => IsTls ? "TLSRoute" : "TCPRoute";
    public IReadOnlyList<string> Hostnames { get; init; } = [];
    public IReadOnlyList<IReadOnlyList<GatewayBackend>> Rules { get; init; } = [];
    public override IEnumerable<RouteReference> Destinations => Rules.SelectMany(r => r).Select(b => b.Reference);
}

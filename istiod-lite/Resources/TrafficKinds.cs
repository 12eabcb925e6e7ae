namespace Mesh.IstiodLite.Resources;

/// <summary>set/add/remove of one direction. Envoy removes first, then sets and adds.</summary>
internal sealed record HeaderOperations
{
    public IReadOnlyDictionary<string, string> Set { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    public IReadOnlyDictionary<string, string> Add { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    public IReadOnlyList<string> Remove { get; init; } = [];
}

internal sealed record HeaderRules(HeaderOperations? Request, HeaderOperations? Response);

internal enum TextMatchType
{
    Present,
    Exact,
    Prefix,
    Regex,
}

internal sealed record TextMatch(TextMatchType Type, string Value);

internal sealed record HttpMatch
{
    public string? Name { get; init; }
    public TextMatch? Uri { get; init; }
    public bool IgnoreUriCase { get; init; }
    public TextMatch? Scheme { get; init; }
    public TextMatch? Method { get; init; }
    public TextMatch? Authority { get; init; }
    public IReadOnlyDictionary<string, TextMatch> Headers { get; init; } = new Dictionary<string, TextMatch>(StringComparer.Ordinal);
    public IReadOnlyDictionary<string, TextMatch> WithoutHeaders { get; init; } = new Dictionary<string, TextMatch>(StringComparer.Ordinal);
    public IReadOnlyDictionary<string, TextMatch> QueryParams { get; init; } = new Dictionary<string, TextMatch>(StringComparer.Ordinal);
    public int? Port { get; init; }
    public IReadOnlyDictionary<string, string> SourceLabels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    public string? SourceNamespace { get; init; }
    public IReadOnlyList<string> Gateways { get; init; } = [];
}

internal sealed record RouteDestination(string Host, string? Subset, int? Port, int Line);

internal sealed record WeightedDestination(RouteDestination Destination, int Weight, HeaderRules? Headers);

internal sealed record HttpRedirect
{
    public string? Uri { get; init; }
    public string? PrefixRewrite { get; init; }
    public string? Authority { get; init; }
    public string? Scheme { get; init; }
    public int? Port { get; init; }
    public int Code { get; init; } = 301;
}

internal sealed record HttpRewrite(string? Uri, string? Authority, string? RegexMatch, string? RegexRewrite);

internal sealed record HttpRetry
{
    public int Attempts { get; init; }
    public TimeSpan? PerTryTimeout { get; init; }
    public string? RetryOn { get; init; }
    public bool? RetryRemoteLocalities { get; init; }
    public bool? RetryIgnorePreviousHosts { get; init; }
    public TimeSpan? Backoff { get; init; }
}

internal sealed record HttpFault
{
    public TimeSpan? Delay { get; init; }
    public double DelayPercentage { get; init; }
    public int? AbortHttpStatus { get; init; }
    public string? AbortGrpcStatus { get; init; }
    public double AbortPercentage { get; init; }
}

internal sealed record HttpMirror(RouteDestination Destination, double Percentage);

internal sealed record CorsPolicy
{
    public IReadOnlyList<TextMatch> AllowOrigins { get; init; } = [];
    public IReadOnlyList<string> AllowMethods { get; init; } = [];
    public IReadOnlyList<string> AllowHeaders { get; init; } = [];
    public IReadOnlyList<string> ExposeHeaders { get; init; } = [];
    public TimeSpan? MaxAge { get; init; }
    public bool? AllowCredentials { get; init; }
    public bool IgnoreUnmatchedPreflights { get; init; }
}

internal sealed record VirtualHttpRoute
{
    public string? Name { get; init; }
    public IReadOnlyList<HttpMatch> Matches { get; init; } = [];
    public IReadOnlyList<WeightedDestination> Route { get; init; } = [];
    public HttpRedirect? Redirect { get; init; }
    public (int Status, string? Text, byte[]? Bytes)? DirectResponse { get; init; }
    public (string Name, string? Namespace)? Delegate { get; init; }
    public HttpRewrite? Rewrite { get; init; }
    public TimeSpan? Timeout { get; init; }
    public HttpRetry? Retries { get; init; }
    public HttpFault? Fault { get; init; }
    public IReadOnlyList<HttpMirror> Mirrors { get; init; } = [];
    public CorsPolicy? Cors { get; init; }
    public HeaderRules? Headers { get; init; }
    public int Line { get; init; }
}

internal sealed record L4Match
{
    public IReadOnlyList<string> SniHosts { get; init; } = [];
    public IReadOnlyList<string> DestinationSubnets { get; init; } = [];
    public int? Port { get; init; }
    public IReadOnlyDictionary<string, string> SourceLabels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    public string? SourceNamespace { get; init; }
    public IReadOnlyList<string> Gateways { get; init; } = [];
}

internal sealed record VirtualL4Route(bool IsTls, IReadOnlyList<L4Match> Matches, IReadOnlyList<WeightedDestination> Route);

internal sealed class VirtualService : Resource
{
    public override string Kind => "VirtualService";
    public IReadOnlyList<string> Hosts { get; init; } = [];
    public IReadOnlyList<string> Gateways { get; init; } = [];
    public IReadOnlyList<string> ExportTo { get; init; } = [];
    public IReadOnlyList<VirtualHttpRoute> Http { get; init; } = [];
    public IReadOnlyList<VirtualL4Route> Tls { get; init; } = [];
    public IReadOnlyList<VirtualL4Route> Tcp { get; init; } = [];

    public bool AppliesToMesh => Gateways.Count == 0 || Gateways.Contains("mesh", StringComparer.Ordinal);
}

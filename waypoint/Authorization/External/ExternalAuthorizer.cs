namespace Mesh.Waypoint.Authorization.External;

/// <summary>Whom a CUSTOM policy asks, and how (reference 8.1). Immutable.</summary>
internal sealed class ExternalAuthorizer
{
    private ExternalAuthorizer(V1.ExternalAuthorizer source)
    {
        Name = source.Name;
        Cluster = source.Cluster;
        Authority = source.Authority;
        Timeout = source.Timeout?.ToTimeSpan() ?? DefaultTimeout;
        FailOpen = source.FailOpen;
        StatusOnError = source.StatusOnError == 0 ? 403 : (int)source.StatusOnError;
        ChoosesRouteAgain = source.ClearRouteCache;
        Body = source.Body is { } body ? new CheckedBody((int)Math.Min(body.MaxBytes, int.MaxValue), body.AllowPartial, body.AsBytes) : null;
        Http = source.ProtocolCase == V1.ExternalAuthorizer.ProtocolOneofCase.Http ? new HttpCheck(source.Http) : null;
    }

    /// <summary>Istio's; Envoy's own would be 200 ms.</summary>
    private static TimeSpan DefaultTimeout => TimeSpan.FromSeconds(600);

    public string Name { get; }

    public string Cluster { get; }

    public string Authority { get; }

    public TimeSpan Timeout { get; }

    public bool FailOpen { get; }

    public int StatusOnError { get; }

    public bool ChoosesRouteAgain { get; }

    /// <summary>Null: the authorizer is not told the body.</summary>
    public CheckedBody? Body { get; }

    /// <summary>Null: it speaks gRPC.</summary>
    public HttpCheck? Http { get; }

    /// <exception cref="ConfigurationException">A call could never be made.</exception>
    public static ExternalAuthorizer? Compile(V1.ExternalAuthorizer? source)
    {
        if (source is null)
            return null;
        if (source.Cluster.Length == 0 || !Uri.TryCreate($"http://{source.Authority}", UriKind.Absolute, out _))
            throw new ConfigurationException($"authorizer {source.Name}: cluster \"{source.Cluster}\" or authority \"{source.Authority}\" cannot be called");
        return new ExternalAuthorizer(source);
    }
}

/// <param name="MaxBytes">Of the body that the authorizer is told.</param>
/// <param name="AllowPartial">False: a longer body is answered 413.</param>
/// <param name="AsBytes">In the field for bytes; else as text.</param>
internal sealed record CheckedBody(int MaxBytes, bool AllowPartial, bool AsBytes);

/// <summary>What the HTTP form adds: which headers go there, and which of its answer's come back.</summary>
internal sealed class HttpCheck(V1.ExternalAuthorizer.Types.HttpCheck source)
{
    public string PathPrefix { get; } = source.PathPrefix;

    public HeaderPatterns RequestHeaders { get; } = new(source.RequestHeaders);

    public IReadOnlyList<(string Name, string Value)> AdditionalHeaders { get; } = [.. source.AdditionalHeaders.Select(h => (h.Key, h.Value))];

    public HeaderPatterns UpstreamOnAllow { get; } = new(source.UpstreamHeadersOnAllow);

    public HeaderPatterns DownstreamOnAllow { get; } = new(source.DownstreamHeadersOnAllow);

    /// <summary>Null: all of them.</summary>
    public HeaderPatterns? DownstreamOnDeny { get; } = source.DownstreamHeadersOnDeny.Count == 0 ? null : new(source.DownstreamHeadersOnDeny);
}

/// <summary>Header names, exact or with one <c>*</c> at an end; case does not count.</summary>
internal sealed class HeaderPatterns(IEnumerable<string> patterns)
{
    private readonly Pattern[] _patterns = [.. patterns.Select(p => new Pattern(p, ignoreCase: true))];

    public bool Matches(string name)
    {
        foreach (var pattern in _patterns)
        {
            if (pattern.Matches(name))
                return true;
        }

        return false;
    }
}

namespace Mesh.IstiodLite.Translation;

/// <summary>The service behind a provider: <c>[namespace/]hostname</c> and port, as MeshConfig writes them.</summary>
internal sealed record ProviderService(string? Namespace, string Hostname, int Port);

internal sealed record CheckedBody(uint MaxBytes, bool AllowPartial, bool AsBytes);

/// <summary>envoyExtAuthzGrpc and envoyExtAuthzHttp; the lists are those of the second.</summary>
internal sealed record AuthorizerSettings
{
    public required ProviderService Service { get; init; }
    public bool IsHttp { get; init; }
    /// <summary>Istio's default, which is much longer than Envoy's.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(600);
    public bool FailOpen { get; init; }
    public bool ClearRouteCache { get; init; }
    public int StatusOnError { get; init; } = 403;
    public CheckedBody? Body { get; init; }
    public string PathPrefix { get; init; } = string.Empty;
    public IReadOnlyList<string> RequestHeaders { get; init; } = [];
    public IReadOnlyDictionary<string, string> AdditionalHeaders { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    public IReadOnlyList<string> UpstreamHeadersOnAllow { get; init; } = [];
    public IReadOnlyList<string> DownstreamHeadersOnDeny { get; init; } = [];
    public IReadOnlyList<string> DownstreamHeadersOnAllow { get; init; } = [];
}

/// <summary>opentelemetry: OTLP over gRPC, or over HTTP where a path is written.</summary>
internal sealed record CollectorSettings(ProviderService Service, string HttpPath, TimeSpan Timeout, uint MaxTagLength, IReadOnlyDictionary<string, string> Headers);

/// <summary>envoyFileAccessLog: at most one of text and fields.</summary>
internal sealed record FileLogSettings(string Path, string Text, IReadOnlyList<(string Name, string Format)> Fields, bool OmitEmpty);

/// <summary>One entry of MeshConfig.extensionProviders. Kinds that nothing here uses keep only their name.</summary>
internal sealed record ExtensionProvider(string Name)
{
    public AuthorizerSettings? Authorizer { get; init; }
    public CollectorSettings? Collector { get; init; }
    public FileLogSettings? FileLog { get; init; }
}

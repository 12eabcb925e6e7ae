namespace Mesh.IstiodLite.Resources;

/// <summary>How proxies are run: of the mesh in the root namespace, of a namespace, or of what a selector selects there.</summary>
internal sealed class ProxyConfigResource : Resource
{
    public override string Kind => "ProxyConfig";
    public IReadOnlyDictionary<string, string>? Selector { get; init; }

    /// <summary>Threads; 0: one per processor. Null: not said.</summary>
    public int? Concurrency { get; init; }

    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    public int EnvironmentLine { get; init; }

    /// <summary>Null: not said.</summary>
    public string? ImageType { get; init; }
    public int ImageLine { get; init; }
}

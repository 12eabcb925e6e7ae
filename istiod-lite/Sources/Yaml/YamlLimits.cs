namespace Mesh.IstiodLite.Sources.Yaml;

/// <summary>Bounds on what one file may cost. Kubernetes itself refuses objects above about 1.5 MiB, so nothing legitimate comes near.</summary>
internal static class YamlLimits
{
    public const int MaxFileBytes = 64 * 1024 * 1024;
    public const int MaxDocumentChars = 2 * 1024 * 1024;
    public const int MaxDepth = 64;
    /// <summary>After expansion of aliases: a "billion laughs" document exceeds it while it is still small.</summary>
    public const long MaxNodes = 500_000;
}

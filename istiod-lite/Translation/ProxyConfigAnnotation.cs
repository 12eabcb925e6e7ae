using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Documents;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Translation;

/// <summary>
/// The annotation by which one proxy is run otherwise than the others: MeshConfig's defaultConfig for a single one, as YAML. A waypoint's pods carry what
/// its Gateway says, in spec.infrastructure.annotations or, without those, in its own.
/// </summary>
internal static class ProxyConfigAnnotation
{
    public const string Name = "proxy.istio.io/config";

    /// <param name="report">Told what cannot be read, or means nothing here: reason and fix.</param>
    /// <returns>Null: nothing is said, or nothing that can be used.</returns>
    public static ProxyRun? Read(Gateway gateway, Action<string, string>? report = null)
    {
        if (!WaypointMetadata.Annotations(gateway).TryGetValue(Name, out var yaml))
            return null;
        YamlNode? root;
        try
        {
            root = YamlDocumentReader.Read(yaml, 1);
        }
        catch (YamlSyntaxException e)
        {
            report?.Invoke($"the annotation {Name} has no effect, it is no YAML: {e.Message}", "correct it");
            return null;
        }
        if (root is not YamlMapping mapping)
        {
            report?.Invoke($"the annotation {Name} has no effect, it holds no fields", "write for example concurrency: 2");
            return null;
        }
        var faults = new DocumentFaults();
        var reader = new FieldReader(mapping, Name, faults);
        var run = new ProxyRun(reader.Int("concurrency", minimum: 0), reader.StringMap("proxyMetadata") ?? ProxyRun.Unsaid.Environment);
        if (faults.Items.Count > 0)
        {
            report?.Invoke($"the annotation {Name} has no effect: {faults.Items[0].Reason}", faults.Items[0].Fix);
            return null;
        }
        if (mapping.Entries.Select(e => e.Key.Text).Where(k => k is not ("concurrency" or "proxyMetadata")).Order(StringComparer.Ordinal).ToList() is { Count: > 0 } others)
            report?.Invoke($"{string.Join(", ", others)} in the annotation {Name} {(others.Count == 1 ? "has" : "have")} no effect on a waypoint", "remove what is not concurrency or proxyMetadata");
        return run;
    }
}

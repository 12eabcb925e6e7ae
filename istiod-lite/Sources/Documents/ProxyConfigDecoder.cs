using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

internal static class ProxyConfigDecoder
{
    public static Resource Decode(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("status");
        return root.Object("spec", spec => Read(meta, position, spec)) ?? new ProxyConfigResource { Meta = meta, Position = position };
    }

    private static ProxyConfigResource Read(ObjectMeta meta, DocumentPosition position, FieldReader spec)
    {
        string? image = null;
        spec.Object("image", i =>
        {
            image = i.String("imageType");
        });
        return new ProxyConfigResource
        {
            Meta = meta,
            Position = position,
            Selector = EntryDecoder.Labels(spec, "selector", "matchLabels"),
            Concurrency = spec.Int("concurrency", minimum: 0),
            EnvironmentLine = spec.LineOf("environmentVariables"),
            Environment = spec.StringMap("environmentVariables") ?? new Dictionary<string, string>(StringComparer.Ordinal),
            ImageLine = spec.LineOf("image"),
            ImageType = image,
        };
    }
}

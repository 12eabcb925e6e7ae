using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

/// <summary>Kinds of which only the metadata or a flat map is read.</summary>
internal static class PlainDecoder
{
    public static Resource Namespace(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("spec", "status");
        return new NamespaceResource { Meta = meta, Position = position };
    }

    public static Resource Node(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("spec", "status");
        return new Node { Meta = meta, Position = position };
    }

    public static Resource ServiceAccount(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("secrets", "imagePullSecrets", "automountServiceAccountToken");
        return new ServiceAccount { Meta = meta, Position = position };
    }

    public static Resource ConfigMap(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("binaryData", "immutable");
        return new ConfigMap { Meta = meta, Position = position, Data = root.StringMap("data") ?? new Dictionary<string, string>(StringComparer.Ordinal) };
    }
}

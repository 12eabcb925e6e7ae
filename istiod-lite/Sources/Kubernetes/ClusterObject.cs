using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Documents;
using Mesh.Kubernetes.Objects;

namespace Mesh.IstiodLite.Sources.Kubernetes;

/// <summary>What one object of the API means: a typed resource, or the reasons why not. Nothing of its text is kept.</summary>
/// <param name="resource">Null: refused.</param>
/// <param name="digest">Of the fields that are read: two versions with the same digest are the same resource.</param>
internal sealed class ClusterObject(ResourceKey key, Resource? resource, IReadOnlyList<Problem> problems, byte[] digest)
{
    public ResourceKey Key => key;
    public Resource? Resource { get; private set; } = resource;
    public IReadOnlyList<Problem> Problems => problems;

    /// <summary>Shown where a file's name would stand.</summary>
    public const string Origin = "cluster";

    public static ClusterObject Decode(KnownKind known, RawObject item)
    {
        var (root, digest) = ApiDocument.Read(item.Json.Span, KeptFields.For(known.Kind));
        var key = new ResourceKey(known.Kind, known.Namespaced ? item.Key.Namespace : string.Empty, item.Key.Name);
        var decoded = DocumentDecoder.DecodeStored(root, Origin, known);
        return new ClusterObject(key, decoded.Resource, decoded.Problems, digest);
    }

    private ReadOnlySpan<byte> Digest => digest;

    /// <summary>True if nothing that is read differs; the resource is shared then, so that it is kept once.</summary>
    public bool IsSameAs(ClusterObject? earlier)
    {
        if (earlier is null || !Digest.SequenceEqual(earlier.Digest))
            return false;
        Resource = earlier.Resource;
        return true;
    }
}

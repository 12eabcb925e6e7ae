using System.Collections.Frozen;
using System.Globalization;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

/// <summary>metadata of any object.</summary>
internal static class MetaDecoder
{
    /// <summary>Where a document says no namespace, kubectl would use the one of its context; files have none, so it is "default".</summary>
    public const string DefaultNamespace = "default";

    public static ObjectMeta Decode(FieldReader meta, bool namespaced)
    {
        meta.Ignore("resourceVersion", "managedFields", "selfLink", "finalizers", "deletionGracePeriodSeconds", "clusterName");
        var name = meta.Required("name");
        var ns = meta.String("namespace");
        return new ObjectMeta
        {
            Name = name,
            Namespace = namespaced ? (string.IsNullOrEmpty(ns) ? DefaultNamespace : ns) : string.Empty,
            Uid = meta.String("uid") ?? string.Empty,
            GenerateName = meta.String("generateName") ?? string.Empty,
            Labels = Freeze(meta.StringMap("labels")),
            Annotations = Freeze(meta.StringMap("annotations")),
            Generation = meta.Long("generation", 0) ?? 0,
            Created = Time(meta, "creationTimestamp") ?? DateTimeOffset.MinValue,
            Deleting = Time(meta, "deletionTimestamp") is not null,
            Owners = meta.Objects("ownerReferences", Owner),
        };
    }

    private static OwnerReference Owner(FieldReader o)
    {
        o.Ignore("uid", "blockOwnerDeletion");
        return new OwnerReference(o.String("apiVersion") ?? string.Empty, o.String("kind") ?? string.Empty, o.String("name") ?? string.Empty, o.Bool("controller") ?? false);
    }

    private static DateTimeOffset? Time(FieldReader meta, string field)
    {
        var text = meta.String(field);
        if (text is null)
            return null;
        if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time))
            return time;
        meta.Faults.Add(meta.LineOf(field), $"{meta.Path}.{field} is \"{text}\", which is no time", "write it like 2026-03-01T08:00:00Z");
        return null;
    }

    private static IReadOnlyDictionary<string, string> Freeze(IReadOnlyDictionary<string, string>? map) =>
        map is { Count: > 0 } ? map : FrozenDictionary<string, string>.Empty;
}

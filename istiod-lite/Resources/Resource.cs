using System.Collections.Frozen;

namespace Mesh.IstiodLite.Resources;

/// <summary>Kind, namespace and name: what makes two documents the same object.</summary>
internal readonly record struct ResourceKey(string Kind, string Namespace, string Name)
{
    public override string ToString() => Namespace.Length == 0 ? $"{Kind} {Name}" : $"{Kind} {Namespace}/{Name}";
}

internal sealed record OwnerReference(string ApiVersion, string Kind, string Name, bool Controller);

/// <summary>The part of Kubernetes' ObjectMeta that the mesh reads.</summary>
internal sealed record ObjectMeta
{
    public required string Name { get; init; }
    public string Namespace { get; init; } = string.Empty;
    public string Uid { get; init; } = string.Empty;
    public string GenerateName { get; init; } = string.Empty;
    public IReadOnlyDictionary<string, string> Labels { get; init; } = FrozenDictionary<string, string>.Empty;
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = FrozenDictionary<string, string>.Empty;
    public IReadOnlyList<OwnerReference> Owners { get; init; } = [];
    /// <summary>Objects from files usually have none: they count as older than all that have one.</summary>
    public DateTimeOffset Created { get; init; }
    public bool Deleting { get; init; }
    public long Generation { get; init; }

    public string? Label(string key) => Labels.GetValueOrDefault(key);

    public string? Annotation(string key) => Annotations.GetValueOrDefault(key);
}

/// <summary>One object of the configuration, immutable. Equality is by reference: a document that did not change is the same object.</summary>
internal abstract class Resource
{
    public required ObjectMeta Meta { get; init; }
    public DocumentPosition Position { get; init; } = DocumentPosition.None;
    public abstract string Kind { get; }

    public string Name => Meta.Name;
    public string Namespace => Meta.Namespace;
    public ResourceKey Key => new(Kind, Meta.Namespace, Meta.Name);

    public string Describe() => Key.ToString();

    /// <summary>Istio's order of precedence: the oldest first, then by namespace and name so that the order of files never matters.</summary>
    public static int CompareByAge(Resource a, Resource b)
    {
        var byAge = a.Meta.Created.CompareTo(b.Meta.Created);
        if (byAge != 0)
            return byAge;
        var byName = string.CompareOrdinal(a.Name, b.Name);
        return byName != 0 ? byName : string.CompareOrdinal(a.Namespace, b.Namespace);
    }
}

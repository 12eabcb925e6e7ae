using Mesh.IstiodLite.Sources.Documents;
using Mesh.Kubernetes.Requests;

namespace Mesh.IstiodLite.Sources.Kubernetes;

/// <summary>One kind that is watched: how the API names it, and where it is looked for.</summary>
/// <param name="Namespace">Null: everywhere.</param>
internal sealed record WatchedKind(KnownKind Known, ResourceChoice Choice, string? Namespace)
{
    /// <summary>Of all ConfigMaps only those that configure the mesh are of interest; a cluster has thousands of others, and one in each namespace is ours.</summary>
    public Selection Selection => Namespace is null ? Selection.All : new Selection { Fields = $"metadata.name!={Leadership.RootDistribution.ConfigMapName}" };
}

/// <summary>Everything that the decoders know is watched; what a decoder learns is watched without another word here.</summary>
internal static class WatchedKinds
{
    public static IEnumerable<WatchedKind> All(string systemNamespace) => KnownKinds.All.Select(k => new WatchedKind(k,
        new ResourceChoice(k.Group, PluralOf(k.Kind), k.Kind, k.Namespaced, [.. k.Versions.OrderBy(Rank)]),
        k is { Group: "", Kind: "ConfigMap" } ? systemNamespace : null));

    /// <summary>English as Kubernetes writes it.</summary>
    public static string PluralOf(string kind)
    {
        var name = kind.ToLowerInvariant();
        if (name.EndsWith('s'))
            return name + "es";
        return name.EndsWith('y') && !"aeiou".Contains(name[^2], StringComparison.Ordinal) ? name[..^1] + "ies" : name + "s";
    }

    // Stable before beta before alpha.
    private static int Rank(string version) => version.Contains("alpha", StringComparison.Ordinal) ? 2 : version.Contains("beta", StringComparison.Ordinal) ? 1 : 0;
}

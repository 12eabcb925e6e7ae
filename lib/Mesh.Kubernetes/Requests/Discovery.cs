namespace Mesh.Kubernetes.Requests;

/// <summary>Versions in which a group is served.</summary>
public sealed record ApiGroup
{
    public IReadOnlyList<ApiGroupVersion>? Versions { get; init; }
}

public sealed record ApiGroupVersion
{
    public string Version { get; init; } = string.Empty;
}

/// <summary>Kinds of one group and version; subresources are entries of their own (pods/status).</summary>
public sealed record ApiResourceList
{
    public IReadOnlyList<ApiResource>? Resources { get; init; }
}

public sealed record ApiResource
{
    public string Name { get; init; } = string.Empty;
    public string Kind { get; init; } = string.Empty;
    public bool Namespaced { get; init; }
}

/// <summary>A kind that may be served in one of several versions, or not at all: the best first.</summary>
/// <remarks>Exactly one version is watched; all show the same objects, two would show every change twice.</remarks>
public sealed record ResourceChoice(string Group, string Plural, string Kind, bool Namespaced, IReadOnlyList<string> Versions)
{
    public static ResourceChoice Of(ResourceType type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return new ResourceChoice(type.Group, type.Plural, type.Kind, type.Namespaced, [type.Version]);
    }

    public string Name => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    public override string ToString() => Name;
}

public static class Discovery
{
    /// <summary>The first of the versions in which the kind is served; null: it is not installed.</summary>
    public static async Task<ResourceType?> FindAsync(this KubeClient client, ResourceChoice choice, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(choice);
        foreach (var version in choice.Versions)
        {
            var type = new ResourceType(choice.Group, version, choice.Plural, choice.Kind, choice.Namespaced);
            try
            {
                var list = await client.GetAsync(type.GroupVersionPath, Objects.KubeJson.Default.ApiResourceList, cancellation);
                // The scope is the server's word; the rest of a path depends on it.
                if (list.Resources?.FirstOrDefault(r => r.Name == choice.Plural) is { } found)
                    return type with { Namespaced = found.Namespaced };
            }
            catch (KubeException e) when (e.Failure is KubeFailure.NotServed or KubeFailure.NotFound)
            {
                // Not in this version.
            }
        }
        return null;
    }
}

using Mesh.Testing.Kubernetes.Storage;

namespace Mesh.Testing.Kubernetes.Serving;

/// <summary>What a path names.</summary>
public sealed record ApiTarget(ServedKind Kind, string Version, string? Namespace, string? Name, string Subresource)
{
    public string ApiVersion => Kind.ApiVersion(Version);

    /// <summary>Null: the path is no object path. A kind that is not served is an <see cref="ApiError"/>.</summary>
    public static ApiTarget? Parse(ApiStore store, string path)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(path);
        var parts = path.Trim('/').Split('/').Select(Uri.UnescapeDataString).ToList();
        string group, version;
        switch (parts[0])
        {
            case "api" when parts.Count > 2:
                (group, version) = ("", parts[1]);
                parts.RemoveRange(0, 2);
                break;
            case "apis" when parts.Count > 3:
                (group, version) = (parts[1], parts[2]);
                parts.RemoveRange(0, 3);
                break;
            default:
                return null;
        }
        string? ns = null;
        // namespaces/NAME and namespaces/NAME/status are the namespace itself.
        if (parts is ["namespaces", var inside, var plural, ..] && (parts.Count > 3 || plural is not ("status" or "finalize")))
        {
            ns = inside;
            parts.RemoveRange(0, 2);
        }
        var kind = store.FindKind(group, version, parts[0]) ?? throw ApiError.NoSuchApi();
        return new ApiTarget(kind, version, ns, parts.ElementAtOrDefault(1), parts.ElementAtOrDefault(2) ?? "");
    }
}

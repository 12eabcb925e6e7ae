using System.Collections.Frozen;

namespace Mesh.IstiodLite.Sources.Kubernetes;

/// <summary>
/// Which fields of an object are read at all; the others are skipped in the text, cost no memory, and their changes are no changes. Named only for kinds
/// that kubelets and controllers write all the time: a node's heartbeat must not translate the mesh again.
/// </summary>
internal sealed class KeptFields
{
    /// <summary>Everything below is kept.</summary>
    public static readonly KeptFields Whole = new(null);

    private static readonly KeptFields _metadata = new KeptFields(null) { IsMetadata = true };
    private static readonly KeptFields _container = Of(("name", Whole), ("ports", Whole), ("restartPolicy", Whole));

    private static readonly KeptFields _pod = Of(
        ("metadata", _metadata),
        ("spec", Of(("nodeName", Whole), ("serviceAccountName", Whole), ("hostNetwork", Whole), ("containers", _container), ("initContainers", _container))),
        ("status", Of(("phase", Whole), ("podIP", Whole), ("podIPs", Whole), ("conditions", Of(("type", Whole), ("status", Whole))))));

    private static readonly KeptFields _node = Of(("metadata", _metadata));
    private static readonly KeptFields _other = new(null) { IsObject = true };

    private readonly FrozenDictionary<string, KeptFields>? _fields;

    private KeptFields(FrozenDictionary<string, KeptFields>? fields) => _fields = fields;

    private bool IsMetadata { get; init; }
    private bool IsObject { get; init; }

    public static KeptFields For(string kind) => kind switch
    {
        "Pod" => _pod,
        "Node" => _node,
        _ => _other,
    };

    /// <summary>What is kept of a field; null: nothing.</summary>
    public KeptFields? Below(string field)
    {
        if (_fields is not null)
            return _fields.GetValueOrDefault(field);
        // Items of built-in lists do not say what they are, events do: that is no difference.
        if (IsObject)
            return field is "metadata" ? _metadata : field is "apiVersion" or "kind" ? null : Whole;
        // Bookkeeping of writers, and what kubectl apply keeps for itself: often half of an object.
        return IsMetadata && field is "managedFields" or "resourceVersion" or "selfLink" or "kubectl.kubernetes.io/last-applied-configuration" ? null
            : IsMetadata && field is "annotations" ? _metadata
            : Whole;
    }

    private static KeptFields Of(params (string Name, KeptFields Below)[] fields) => new(fields.ToFrozenDictionary(f => f.Name, f => f.Below, StringComparer.Ordinal));
}

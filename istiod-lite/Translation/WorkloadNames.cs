using System.Text.RegularExpressions;
using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

/// <summary>The names under which a workload appears in metrics: its own, its canonical one, its revision.</summary>
internal static partial class WorkloadNames
{
    public static string OfPod(Pod pod)
    {
        if (pod.Meta.Label("service.istio.io/workload-name") is { Length: > 0 } named)
            return named;
        var owner = pod.Meta.Owners.FirstOrDefault(o => o.Controller);
        if (owner is null || pod.Meta.GenerateName.Length == 0)
            return pod.Name;
        switch (owner.Kind)
        {
            case "ReplicaSet" when pod.Meta.Label("pod-template-hash") is { Length: > 0 } hash && owner.Name.EndsWith("-" + hash, StringComparison.Ordinal):
                return owner.Name[..^(hash.Length + 1)];
            case "ReplicaSet" when pod.Meta.Label("rollouts-pod-template-hash") is { Length: > 0 } hash && owner.Name.EndsWith("-" + hash, StringComparison.Ordinal):
                return owner.Name[..^(hash.Length + 1)];
            case "ReplicationController" when pod.Meta.Label("deploymentconfig") is { Length: > 0 } config:
                return config;
            case "Job" when CronJobSuffix().Match(owner.Name) is { Success: true } suffix:
                return owner.Name[..suffix.Index];
            default:
                return owner.Name;
        }
    }

    public static string Canonical(IReadOnlyDictionary<string, string> labels, string workloadName) =>
        First(labels, "service.istio.io/canonical-name", "app.kubernetes.io/name", "app") ?? workloadName;

    public static string Revision(IReadOnlyDictionary<string, string> labels) =>
        First(labels, "service.istio.io/canonical-revision", "app.kubernetes.io/version", "version") ?? "latest";

    private static string? First(IReadOnlyDictionary<string, string> labels, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (labels.TryGetValue(name, out var value) && value.Length > 0)
                return value;
        }
        return null;
    }

    // A CronJob names its Jobs after the minute of their schedule.
    [GeneratedRegex(@"-\d{8,10}$")]
    private static partial Regex CronJobSuffix();
}

using System.Text;

namespace Mesh.Hbone;

/// <summary>Who the other side says it is, for labels only; authorization never reads it. Absent parts are null.</summary>
public sealed record Baggage
{
    public static readonly Baggage Empty = new();

    public string? ClusterId { get; init; }

    public string? Namespace { get; init; }

    /// <summary>deployment, cronjob, pod or job.</summary>
    public string? WorkloadType { get; init; }

    public string? WorkloadName { get; init; }

    public string? ServiceName { get; init; }

    public string? ServiceVersion { get; init; }

    public string? Region { get; init; }

    public string? Zone { get; init; }

    /// <summary>Comma-joined without spaces or percent encoding, in the order that ztunnel writes.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        Append(text, "k8s.cluster.name", ClusterId);
        Append(text, "k8s.namespace.name", Namespace);
        Append(text, $"k8s.{WorkloadType ?? "deployment"}.name", WorkloadName);
        Append(text, "service.name", ServiceName);
        Append(text, "service.version", ServiceVersion);
        Append(text, "cloud.region", Region);
        Append(text, "cloud.availability_zone", Zone);
        return text.ToString();
    }

    /// <summary>Never fails: unknown keys, empty values and parts without <c>=</c> are passed over.</summary>
    public static Baggage Parse(IEnumerable<string> lines)
    {
        var result = Empty;
        foreach (var line in lines)
        {
            foreach (var entry in line.Split(','))
            {
                var parts = entry.Split('=');
                if (parts.Length < 2 || parts[1].Length == 0)
                    continue;
                result = With(result, parts[0], parts[1]);
            }
        }

        return result;
    }

    private static Baggage With(Baggage baggage, string key, string value) => key switch
    {
        "k8s.cluster.name" => baggage with { ClusterId = value },
        "k8s.namespace.name" => baggage with { Namespace = value },
        "k8s.deployment.name" => baggage with { WorkloadType = "deployment", WorkloadName = value },
        "k8s.cronjob.name" => baggage with { WorkloadType = "cronjob", WorkloadName = value },
        "k8s.pod.name" => baggage with { WorkloadType = "pod", WorkloadName = value },
        "k8s.job.name" => baggage with { WorkloadType = "job", WorkloadName = value },
        "service.name" => baggage with { ServiceName = value },
        "service.version" => baggage with { ServiceVersion = value },
        "cloud.region" => baggage with { Region = value },
        "cloud.availability_zone" => baggage with { Zone = value },
        _ => baggage,
    };

    private static void Append(StringBuilder text, string key, string? value)
    {
        if (string.IsNullOrEmpty(value))
            return;
        if (text.Length > 0)
            text.Append(',');
        text.Append(key).Append('=').Append(value);
    }
}

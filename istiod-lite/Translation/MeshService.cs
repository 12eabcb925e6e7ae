using Mesh.IstiodLite.Resources;
using Wds = Istio.Workload;

namespace Mesh.IstiodLite.Translation;

/// <summary>One port of a service before it is resolved for a workload.</summary>
internal sealed record MeshPort(string Name, int Number, int? TargetNumber, string? TargetName, Wds.AppProtocol Protocol, bool IsTcp = true);

/// <summary>One service of the mesh: a Kubernetes Service, or one host of a ServiceEntry.</summary>
internal sealed class MeshService
{
    public required Resource Source { get; init; }
    public required string Hostname { get; init; }
    public required IReadOnlyList<MeshPort> Ports { get; init; }
    /// <summary>Null or empty: selects nothing.</summary>
    public IReadOnlyDictionary<string, string>? Selector { get; init; }
    public required Wds.Service Wds { get; init; }
    public required WaypointBinding Binding { get; init; }
    public bool Canonical { get; set; }

    public string Namespace => Source.Namespace;
    public string Key => $"{Source.Namespace}/{Hostname}";
    public bool IsKubernetes => Source is Service;
    public ServiceEntry? Entry => Source as ServiceEntry;

    public bool Selects(IReadOnlyDictionary<string, string> labels) => Selector is { Count: > 0 } && LabelSelector.Matches(Selector, labels);
}

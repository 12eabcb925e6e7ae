using Mesh.IstiodLite.Resources;
using Wds = Istio.Workload;

namespace Mesh.IstiodLite.Translation;

/// <summary>One port of a service before it is resolved for a workload.</summary>
internal sealed record MeshPort(string Name, int Number, int? TargetNumber, string? TargetName, Wds.AppProtocol Protocol, bool IsTcp = true);

/// <summary>One service of the mesh: a Kubernetes Service, or one host of a ServiceEntry.</summary>
internal sealed class MeshService
{
    private MeshService? _canonical;

    public required Resource Source { get; init; }
    public required string Hostname { get; init; }
    public required IReadOnlyList<MeshPort> Ports { get; init; }
    /// <summary>Null or empty: selects nothing.</summary>
    public IReadOnlyDictionary<string, string>? Selector { get; init; }
    public required Wds.Service Wds { get; init; }
    public required WaypointBinding Binding { get; init; }
    /// <summary>The one that its host name means where no namespace is named.</summary>
    public bool Canonical { get; init; }

    public string Namespace => Source.Namespace;
    public string Key => $"{Source.Namespace}/{Hostname}";
    public bool IsKubernetes => Source is Service;
    public ServiceEntry? Entry => Source as ServiceEntry;

    /// <summary>The same as canonical; always the same object, so that who compares sees that nothing changed.</summary>
    public MeshService AsCanonical()
    {
        if (Canonical)
            return this;
        if (_canonical is null)
        {
            var wds = Wds.Clone();
            wds.Canonical = true;
            _canonical = With(Source, wds, canonical: true);
        }
        return _canonical;
    }

    /// <summary>The same service from a newer version of its document, with the message that clients already have.</summary>
    public MeshService From(Resource source, Wds.Service wds) => With(source, wds, Canonical);

    /// <summary>True if everybody who depends on the service would come to the same result with the other one.</summary>
    public bool MeansTheSameAs(MeshService other) =>
        Hostname == other.Hostname && Binding == other.Binding && Ports.SequenceEqual(other.Ports) && LabelSelector.Same(Selector, other.Selector) && Wds.Equals(other.Wds);

    private MeshService With(Resource source, Wds.Service wds, bool canonical) =>
        new() { Source = source, Hostname = Hostname, Ports = Ports, Selector = Selector, Wds = wds, Binding = Binding, Canonical = canonical };

    public bool Selects(IReadOnlyDictionary<string, string> labels) => Selector is { Count: > 0 } && LabelSelector.Matches(Selector, labels);
}

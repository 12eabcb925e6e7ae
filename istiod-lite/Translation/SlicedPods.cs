using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Translation;

/// <summary>Pods that a person put behind a Service without selector, by naming them in an EndpointSlice.</summary>
internal sealed class SlicedPods(IEnumerable<EndpointSlice> slices, ServiceCatalog services, MeshSettings settings)
{
    private readonly ILookup<(string Namespace, string Name), (MeshService Service, string Uid)> _byPod = slices
        .Select(s => (Slice: s, Service: ServiceOf(s, services, settings)))
        .Where(s => s.Service is not null)
        .SelectMany(s => PodsOf(s.Slice).Select(p => (p.Pod, s.Service, p.Uid)))
        .ToLookup(x => x.Pod, x => (x.Service!, x.Uid));

    public IEnumerable<(MeshService Service, string Uid)> Of(Pod pod) => _byPod[(pod.Namespace, pod.Name)];

    /// <summary>The Service a slice is for, if it has no selector: the slices of others only repeat what their pods say.</summary>
    public static MeshService? ServiceOf(EndpointSlice slice, ServiceCatalog services, MeshSettings settings) =>
        slice.Meta.Label(WellKnown.ServiceName) is { } name && services.Find(slice.Namespace, $"{name}.{slice.Namespace}.svc.{settings.ClusterDomain}") is { IsKubernetes: true, Selector: null or { Count: 0 } } service
            ? service
            : null;

    public static IEnumerable<((string Namespace, string Name) Pod, string Uid)> PodsOf(EndpointSlice slice) => slice.Endpoints
        .Where(e => e is { TargetKind: "Pod", TargetName: not null })
        .Select(e => ((e.TargetNamespace ?? slice.Namespace, e.TargetName!), e.TargetUid ?? string.Empty));
}

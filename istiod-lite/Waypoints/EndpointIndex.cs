using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Translation;
using Wds = Istio.Workload;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>Which workloads serve a port of a service, and on which port of theirs; and which are instances of a waypoint.</summary>
internal sealed class EndpointIndex
{
    private readonly Dictionary<string, Dictionary<string, (MeshWorkload Workload, Wds.PortList Ports)>> _byService = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Namespace, string Gateway), Dictionary<string, MeshWorkload>> _instances = [];

    public EndpointIndex(IEnumerable<MeshWorkload> workloads)
    {
        foreach (var workload in workloads)
            Add(workload);
    }

    public void Add(MeshWorkload workload)
    {
        foreach (var (key, ports) in workload.Wds.Services)
        {
            if (!_byService.TryGetValue(key, out var serving))
                _byService[key] = serving = new(StringComparer.Ordinal);
            serving[workload.Wds.Uid] = (workload, ports);
        }
        if (GatewayOf(workload) is not { } gateway)
            return;
        if (!_instances.TryGetValue(gateway, out var instances))
            _instances[gateway] = instances = new(StringComparer.Ordinal);
        instances[workload.Wds.Uid] = workload;
    }

    public void Remove(MeshWorkload workload)
    {
        foreach (var key in workload.Wds.Services.Keys)
        {
            if (_byService.TryGetValue(key, out var serving) && serving.Remove(workload.Wds.Uid) && serving.Count == 0)
                _byService.Remove(key);
        }
        if (GatewayOf(workload) is { } gateway && _instances.TryGetValue(gateway, out var instances) && instances.Remove(workload.Wds.Uid) && instances.Count == 0)
            _instances.Remove(gateway);
    }

    public IEnumerable<(MeshWorkload Workload, int Port)> Of(MeshService service, int port)
    {
        if (!_byService.TryGetValue(service.Key, out var serving))
            yield break;
        foreach (var (workload, ports) in serving.Values)
        {
            foreach (var candidate in ports.Ports)
            {
                if (candidate.ServicePort != port || candidate.TargetPort == 0)
                    continue;
                yield return (workload, (int)candidate.TargetPort);
                break;
            }
        }
    }

    public IEnumerable<MeshWorkload> WorkloadsOf(MeshService service) => _byService.TryGetValue(service.Key, out var serving) ? serving.Values.Select(s => s.Workload) : [];

    public int CountOf(MeshService service) => _byService.TryGetValue(service.Key, out var serving) ? serving.Count : 0;

    /// <summary>Where a waypoint runs, if all its instances run in one place.</summary>
    public Wds.Locality? LocalityOf(WaypointInfo waypoint)
    {
        if (!_instances.TryGetValue((waypoint.Namespace, waypoint.Name), out var instances))
            return null;
        var places = instances.Values.Select(w => w.Wds.Locality).Distinct().ToList();
        return places.Count == 1 ? places[0] : null;
    }

    public static (string Namespace, string Gateway)? GatewayOf(MeshWorkload workload) =>
        workload.Labels.TryGetValue(WellKnown.GatewayName, out var gateway) ? (workload.Wds.Namespace, gateway) : null;
}

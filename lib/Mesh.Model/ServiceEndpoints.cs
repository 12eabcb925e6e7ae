using Mesh.Model.Collections;
using Mesh.Model.Selection;
using Mesh.Model.Workloads;

namespace Mesh.Model;

/// <summary>A service together with every workload that claims to be its endpoint, as of one snapshot.</summary>
/// <remarks>Immutable but for the memory of choices already worked out, which lives exactly as long as the facts they rest on.</remarks>
public sealed class ServiceEndpoints
{
    internal ServiceEndpoints(Service service, PersistentMap<string, Endpoint> members)
    {
        Service = service;
        Members = members;
    }

    public Service Service { get; }

    /// <summary>All members by workload uid, unhealthy ones included.</summary>
    public PersistentMap<string, Endpoint> Members { get; }

    /// <summary>The members that the service's health policy admits.</summary>
    public IEnumerable<Endpoint> Endpoints => Members.Values.Where(e => Service.Admits(e.Workload.Status));

    internal SelectionMemory Selections { get; } = new();

    public bool Contains(string workloadUid) => FindEndpoint(workloadUid) is not null;

    /// <summary>The endpoint of this workload, if the health policy admits it.</summary>
    public Endpoint? FindEndpoint(string workloadUid) =>
        Members.TryGetValue(workloadUid, out var endpoint) && Service.Admits(endpoint.Workload.Status) ? endpoint : null;
}

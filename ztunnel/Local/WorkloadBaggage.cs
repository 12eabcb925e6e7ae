using System.Runtime.CompilerServices;
using Mesh.Hbone;
using Mesh.Model.Workloads;

namespace Mesh.Ztunnel.Local;

/// <summary>What we say of a workload to the other side. Made once per record, not per connection.</summary>
internal static class WorkloadBaggage
{
    private static readonly ConditionalWeakTable<Workload, Baggage> Known = [];

    public static Baggage Of(Workload workload) => Known.GetValue(workload, static w => new Baggage
    {
        ClusterId = w.ClusterId,
        Namespace = w.Namespace,
        WorkloadType = w.WorkloadType.ToString().ToLowerInvariant(),
        WorkloadName = w.WorkloadName,
        ServiceName = w.CanonicalName,
        ServiceVersion = w.CanonicalRevision,
        Region = w.Locality.Region,
        Zone = w.Locality.Zone,
    });
}

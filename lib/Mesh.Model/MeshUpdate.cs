using Mesh.Model.Policy;
using Mesh.Model.Workloads;

namespace Mesh.Model;

/// <summary>All that one xDS response (or one read of a file) says. Applied as a whole: upserts first, then removals.</summary>
public sealed class MeshUpdate
{
    public List<Workload> Workloads { get; } = [];

    public List<Service> Services { get; } = [];

    /// <summary>xDS names of addresses that are gone: a workload's uid, otherwise <c>namespace/hostname</c> of a service.</summary>
    public List<string> RemovedAddresses { get; } = [];

    /// <summary>xDS resource name and policy.</summary>
    public List<KeyValuePair<string, AuthorizationPolicy>> Policies { get; } = [];

    public List<string> RemovedPolicies { get; } = [];
}

/// <summary>What an update really changed. Resources that came again unchanged are not in it.</summary>
public sealed class MeshChange
{
    internal MeshChange(MeshSnapshot before, MeshSnapshot after, ChangeRecorder recorder)
    {
        Before = before;
        After = after;
        Workloads = recorder.Workloads;
        Services = recorder.Services;
        Policies = recorder.Policies;
        LocalArrived = recorder.LocalArrived;
        LocalGone = recorder.LocalGone;
    }

    public MeshSnapshot Before { get; }

    public MeshSnapshot After { get; }

    /// <summary>Uids of workloads that came, changed or went.</summary>
    public IReadOnlyCollection<string> Workloads { get; }

    public IReadOnlyCollection<NamespacedHostname> Services { get; }

    /// <summary>xDS names of policies that came, changed or went.</summary>
    public IReadOnlyCollection<string> Policies { get; }

    /// <summary>Workloads of the local node that came or changed: their certificates may be fetched ahead.</summary>
    public IReadOnlyList<Workload> LocalArrived { get; }

    /// <summary>Workloads of the local node that went. Their certificate may be forgotten once <see cref="MeshSnapshot.LocalWorkloads"/> has none of that account.</summary>
    public IReadOnlyList<Workload> LocalGone { get; }
}

internal sealed class ChangeRecorder
{
    public HashSet<string> Workloads { get; } = new(StringComparer.Ordinal);

    public HashSet<NamespacedHostname> Services { get; } = [];

    public HashSet<string> Policies { get; } = new(StringComparer.Ordinal);

    public List<Workload> LocalArrived { get; } = [];

    public List<Workload> LocalGone { get; } = [];

    public bool Any => Workloads.Count + Services.Count + Policies.Count > 0;
}

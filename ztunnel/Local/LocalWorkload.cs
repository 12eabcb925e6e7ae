using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Forwarding;

namespace Mesh.Ztunnel.Local;

/// <summary>
/// The pod that is served, as the control plane knows it. Found by the names that the node agent gave, never by an address that somebody
/// could have chosen.
/// </summary>
internal sealed class LocalWorkload(MeshState mesh, PodInfo info, TimeProvider time)
{
    /// <summary>A pod may talk before the control plane has told about it.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    public PodInfo Info { get; } = info;

    public MeshSnapshot Mesh => mesh.Current;

    public Failure Missing => new(
        Ending.UnknownWorkload,
        $"workload {Info.Namespace}/{Info.Name} (service account {Info.ServiceAccount}) is not known to the control plane after {Deadline.TotalSeconds:0} s");

    public Workload? Find() => Find(mesh.Current);

    /// <summary>Completes at once when it is known; null when it did not come in time.</summary>
    public ValueTask<Workload?> WaitAsync() => mesh.WaitForAsync(Find, Deadline, time);

    /// <summary>False when the policy has not come within the time.</summary>
    public async ValueTask<bool> PolicyArrivesAsync(string name, TimeSpan patience) => await mesh.WaitForAsync(s => s.FindPolicy(name), patience, time) is not null;

    private Workload? Find(MeshSnapshot snapshot) => snapshot.FindLocalWorkload(Info.Namespace, Info.Name, Info.ServiceAccount);
}

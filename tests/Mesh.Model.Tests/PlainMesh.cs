using System.Net;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;

namespace Mesh.Model.Tests;

/// <summary>The mesh as three lists in order of arrival: slow and obviously right.</summary>
internal sealed class PlainMesh
{
    public List<Workload> Workloads { get; } = [];

    public List<Service> Services { get; } = [];

    public List<AuthorizationPolicy> Policies { get; } = [];

    public void Upsert(Workload workload) => Replace(Workloads, w => w.Uid == workload.Uid, workload);

    public void Upsert(Service service) => Replace(Services, s => s.Key == service.Key, service);

    public void Upsert(AuthorizationPolicy policy) => Replace(Policies, p => p.Name == policy.Name, policy);

    public bool RemovePolicy(string name) => Policies.RemoveAll(p => p.Name == name) > 0;

    public bool RemoveAddress(string name) => Workloads.RemoveAll(w => w.Uid == name) > 0 || Services.RemoveAll(s => s.Key.ToString() == name) > 0;

    public Workload? FindWorkload(string network, IPAddress address) => Workloads
        .Where(w => w.Network == network && w.NetworkMode == NetworkMode.Standard && w.Addresses.Contains(address))
        .Reverse()
        .MaxBy(w => (w.Uid.Contains("//Pod/", StringComparison.Ordinal), w.Protocol == TunnelProtocol.Hbone));

    public Service? FindService(string network, IPAddress address, string? ns)
    {
        var visible = Services.Where(s => s.Visibility == ServiceVisibility.Public || s.Namespace == ns).ToList();
        var exact = Choose(visible.Where(s => s.Vips.Contains(new(network, address))), ns, null);
        if (exact is not null)
            return exact;
        return visible
            .SelectMany(s => s.CidrVips.Where(c => c.Network == network && c.Prefix.Contains(address)).Select(c => (Service: s, c.Prefix.Length)))
            .Reverse()
            .OrderByDescending(c => c.Service.Namespace == ns).ThenByDescending(c => c.Length).ThenByDescending(c => c.Service.Canonical)
            .Select(c => c.Service)
            .FirstOrDefault();
    }

    public Service? FindByHost(string host, string ns, string preferred) =>
        Choose(Services.Where(s => s.Hostname == host && (s.Visibility == ServiceVisibility.Public || s.Namespace == ns)), ns, preferred);

    public IEnumerable<AuthorizationPolicy> PoliciesOf(string ns) => Policies.Where(p =>
        ns.Length == 0 ? p.Scope == PolicyScope.Global : p.Scope == PolicyScope.Namespace && p.Namespace == ns);

    private static Service? Choose(IEnumerable<Service> candidates, string? ns, string? preferred)
    {
        var list = candidates.ToList();
        return list.Find(s => s.Namespace == ns) ?? list.FindLast(s => s.Canonical) ?? list.Find(s => s.Namespace == preferred) ?? list.FirstOrDefault();
    }

    // An unchanged resource keeps its place.
    private static void Replace<T>(List<T> list, Predicate<T> same, T item)
    {
        if (list.Find(same) is { } present && present.Equals(item))
            return;
        list.RemoveAll(same);
        list.Add(item);
    }
}

using Mesh.Model.Collections;
using Mesh.Model.Workloads;

namespace Mesh.Model;

/// <summary>Collects the endpoint changes of one batch, so that each service is rebuilt once. Endpoints of unknown services are staged until the service comes.</summary>
internal sealed class EndpointBatch(MeshIndexes before)
{
    private readonly Dictionary<NamespacedHostname, PersistentMap<string, Endpoint>.Builder> _members = [];

    // A service that was upserted in this batch, or null when it was removed.
    private readonly Dictionary<NamespacedHostname, Service?> _services = [];

    public Service? FindService(NamespacedHostname key) =>
        _services.TryGetValue(key, out var changed) ? changed : before.Services.GetValueOrDefault(key)?.Service;

    public void SetService(Service service) => _services[service.Key] = service;

    public void RemoveService(NamespacedHostname key) => _services[key] = null;

    public void Set(NamespacedHostname service, Endpoint endpoint) => MembersOf(service)[endpoint.Workload.Uid] = endpoint;

    public void Remove(NamespacedHostname service, string workloadUid) => MembersOf(service).Remove(workloadUid);

    public (PersistentMap<NamespacedHostname, ServiceEndpoints> Services, PersistentMap<NamespacedHostname, PersistentMap<string, Endpoint>> Staged) Build()
    {
        var services = before.Services.ToBuilder();
        var staged = before.Staged.ToBuilder();
        foreach (var key in _members.Keys.Union(_services.Keys))
        {
            var members = _members.TryGetValue(key, out var changed) ? changed.ToMap() : MembersBefore(key);
            if (FindService(key) is { } service)
            {
                staged.Remove(key);
                services[key] = new(service, members);
                continue;
            }

            // The memberships are facts of the workloads: they outlive the service and serve again when it returns.
            services.Remove(key);
            if (members.Count == 0)
                staged.Remove(key);
            else
                staged[key] = members;
        }

        return (services.ToMap(), staged.ToMap());
    }

    private PersistentMap<string, Endpoint>.Builder MembersOf(NamespacedHostname service)
    {
        if (!_members.TryGetValue(service, out var builder))
            _members[service] = builder = MembersBefore(service).ToBuilder();
        return builder;
    }

    private PersistentMap<string, Endpoint> MembersBefore(NamespacedHostname service) =>
        before.Services.TryGetValue(service, out var entry) ? entry.Members
        : before.Staged.TryGetValue(service, out var members) ? members
        : PersistentMap<string, Endpoint>.Empty;
}

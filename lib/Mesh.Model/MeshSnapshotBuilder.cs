using Mesh.Model.Collections;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;

namespace Mesh.Model;

/// <summary>Makes the next snapshot from the one before. An upsert is a removal and an insertion, except that an unchanged resource stays where it is.</summary>
/// <remarks>Used by one thread, for one batch: each service whose endpoints moved is rebuilt once, however many workloads moved it.</remarks>
public sealed class MeshSnapshotBuilder
{
    private readonly MeshSnapshot _before;
    private readonly ChangeRecorder _changes = new();
    private readonly EndpointBatch _endpoints;
    private readonly PersistentMap<string, Workload>.Builder _byUid;
    private readonly PersistentMap<NetworkAddress, Workload[]>.Builder _byAddress;
    private readonly PersistentMap<NamespacedHostname, Workload[]>.Builder _byHostname;
    private readonly PersistentMap<LocalName, Workload[]>.Builder _localByName;
    private readonly PersistentMap<LocalAccount, PersistentMap<string, Workload>>.Builder _localByAccount;
    private readonly PersistentMap<NetworkAddress, Service[]>.Builder _byVip;
    private readonly PersistentMap<string, Service[]>.Builder _byHost;
    private readonly PersistentMap<string, AuthorizationPolicy>.Builder _policies;
    private readonly PersistentMap<string, AuthorizationPolicy[]>.Builder _policiesByNamespace;
    private CidrIndex _cidrs;

    public MeshSnapshotBuilder(MeshSnapshot before)
    {
        _before = before;
        var indexes = before.Indexes;
        _endpoints = new(indexes);
        _byUid = indexes.WorkloadsByUid.ToBuilder();
        _byAddress = indexes.WorkloadsByAddress.ToBuilder();
        _byHostname = indexes.WorkloadsByHostname.ToBuilder();
        _localByName = indexes.LocalByName.ToBuilder();
        _localByAccount = indexes.LocalByAccount.ToBuilder();
        _byVip = indexes.ServicesByVip.ToBuilder();
        _byHost = indexes.ServicesByHost.ToBuilder();
        _policies = indexes.PoliciesByName.ToBuilder();
        _policiesByNamespace = indexes.PoliciesByNamespace.ToBuilder();
        _cidrs = indexes.Cidrs;
    }

    public void Apply(MeshUpdate update)
    {
        foreach (var workload in update.Workloads)
            Upsert(workload);
        foreach (var service in update.Services)
            Upsert(service);
        foreach (var name in update.RemovedAddresses)
            RemoveAddress(name);
        foreach (var (name, policy) in update.Policies)
            UpsertPolicy(name, policy);
        foreach (var name in update.RemovedPolicies)
            RemovePolicy(name);
    }

    public void Upsert(Workload workload)
    {
        if (_byUid.TryGetValue(workload.Uid, out var present))
        {
            if (present == workload)
                return;
            Unlink(present);
        }

        _changes.Workloads.Add(workload.Uid);
        _byUid[workload.Uid] = workload;
        if (workload.NetworkMode == NetworkMode.Standard)
        {
            foreach (var address in workload.Addresses)
                _byAddress.Append(new(workload.Network, address), workload);
        }

        if (workload.Hostname.Length > 0)
            _byHostname.Append(new(workload.Namespace, workload.Hostname), workload);
        foreach (var membership in workload.Services)
            _endpoints.Set(membership.Service, new(workload, membership.Ports));
        if (IsLocal(workload))
        {
            _localByName.Append(LocalNameOf(workload), workload);
            _localByAccount[AccountOf(workload)] = LocalAccountMembers(workload).Set(workload.Uid, workload);
            _changes.LocalArrived.Add(workload);
        }
    }

    public void Upsert(Service service)
    {
        if (_endpoints.FindService(service.Key) is { } present)
        {
            if (present == service)
                return;
            Unlink(present);
        }

        _changes.Services.Add(service.Key);
        _endpoints.SetService(service);
        foreach (var vip in service.Vips)
            _byVip.Append(vip, service);
        _byHost.Append(service.Hostname, service);
        _cidrs = _cidrs.Add(service);
    }

    /// <summary>First taken for a workload's uid, then for <c>namespace/hostname</c>; unknown names are passed over.</summary>
    public bool RemoveAddress(string xdsName)
    {
        if (_byUid.TryGetValue(xdsName, out var workload))
        {
            _changes.Workloads.Add(xdsName);
            _byUid.Remove(xdsName);
            Unlink(workload);
            if (IsLocal(workload))
                _changes.LocalGone.Add(workload);
            return true;
        }

        if (!NamespacedHostname.TryParse(xdsName, out var key) || _endpoints.FindService(key) is not { } service)
            return false;
        _changes.Services.Add(key);
        Unlink(service);
        _endpoints.RemoveService(key);
        return true;
    }

    public void UpsertPolicy(string xdsName, AuthorizationPolicy policy)
    {
        if (_policies.TryGetValue(xdsName, out var present))
        {
            if (present == policy)
                return;
            Unlink(present);
        }

        _changes.Policies.Add(xdsName);
        _policies[xdsName] = policy;
        if (Namespace(policy) is { } @namespace)
            _policiesByNamespace.Append(@namespace, policy);
    }

    public bool RemovePolicy(string xdsName)
    {
        if (!_policies.TryGetValue(xdsName, out var present))
            return false;
        _changes.Policies.Add(xdsName);
        _policies.Remove(xdsName);
        Unlink(present);
        return true;
    }

    /// <summary>The snapshot, or the one before when nothing changed.</summary>
    public MeshSnapshot ToSnapshot() => ToChange().After;

    internal MeshChange ToChange()
    {
        if (!_changes.Any)
            return new(_before, _before, _changes);
        var (services, staged) = _endpoints.Build();
        var indexes = new MeshIndexes
        {
            LocalNode = _before.LocalNode,
            WorkloadsByUid = _byUid.ToMap(),
            WorkloadsByAddress = _byAddress.ToMap(),
            WorkloadsByHostname = _byHostname.ToMap(),
            LocalByName = _localByName.ToMap(),
            LocalByAccount = _localByAccount.ToMap(),
            Services = services,
            ServicesByVip = _byVip.ToMap(),
            ServicesByHost = _byHost.ToMap(),
            Cidrs = _cidrs,
            Staged = staged,
            PoliciesByName = _policies.ToMap(),
            PoliciesByNamespace = _policiesByNamespace.ToMap(),
        };
        return new(_before, new(_before.Version + 1, indexes), _changes);
    }

    private void Unlink(Workload workload)
    {
        if (workload.NetworkMode == NetworkMode.Standard)
        {
            foreach (var address in workload.Addresses)
                _byAddress.RemoveOne(new(workload.Network, address), workload);
        }

        if (workload.Hostname.Length > 0)
            _byHostname.RemoveOne(new(workload.Namespace, workload.Hostname), workload);
        foreach (var membership in workload.Services)
            _endpoints.Remove(membership.Service, workload.Uid);
        if (!IsLocal(workload))
            return;
        _localByName.RemoveOne(LocalNameOf(workload), workload);
        var rest = LocalAccountMembers(workload).Remove(workload.Uid);
        if (rest.IsEmpty)
            _localByAccount.Remove(AccountOf(workload));
        else
            _localByAccount[AccountOf(workload)] = rest;
    }

    private void Unlink(Service service)
    {
        foreach (var vip in service.Vips)
            _byVip.RemoveOne(vip, service);
        _byHost.RemoveOne(service.Hostname, service);
        _cidrs = _cidrs.Remove(service);
    }

    private void Unlink(AuthorizationPolicy policy)
    {
        if (Namespace(policy) is { } @namespace)
            _policiesByNamespace.RemoveOne(@namespace, policy);
    }

    private bool IsLocal(Workload workload) => _before.LocalNode is null || _before.LocalNode == workload.Node;

    private PersistentMap<string, Workload> LocalAccountMembers(Workload workload) =>
        _localByAccount.GetValueOrDefault(AccountOf(workload)) ?? PersistentMap<string, Workload>.Empty;

    private static LocalAccount AccountOf(Workload workload) => new(workload.Namespace, workload.ServiceAccount);

    private static LocalName LocalNameOf(Workload workload) => new(workload.Namespace, workload.Name, workload.ServiceAccount);

    private static string? Namespace(AuthorizationPolicy policy) => policy.Scope switch
    {
        PolicyScope.Global => "",
        PolicyScope.Namespace => policy.Namespace,
        _ => null,
    };
}

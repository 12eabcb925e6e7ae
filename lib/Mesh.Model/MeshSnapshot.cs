using System.Net;
using Mesh.Model.Collections;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;

namespace Mesh.Model;

/// <summary>Everything the control plane said, at one moment. A connection reads it once and keeps that reference for all its decisions.</summary>
/// <remarks>Immutable; snapshots share all parts that did not change. Made by <see cref="MeshSnapshotBuilder"/>.</remarks>
public sealed class MeshSnapshot
{
    private readonly MeshIndexes _indexes;

    internal MeshSnapshot(long version, MeshIndexes indexes)
    {
        Version = version;
        _indexes = indexes;
    }

    /// <summary>Counts the published changes.</summary>
    public long Version { get; }

    /// <summary>The node whose workloads are "local"; null when every workload is.</summary>
    public string? LocalNode => _indexes.LocalNode;

    public IReadOnlyCollection<KeyValuePair<string, Workload>> Workloads => _indexes.WorkloadsByUid;

    public IReadOnlyCollection<KeyValuePair<NamespacedHostname, ServiceEndpoints>> Services => _indexes.Services;

    /// <summary>Policies by xDS name.</summary>
    public IReadOnlyCollection<KeyValuePair<string, AuthorizationPolicy>> Policies => _indexes.PoliciesByName;

    /// <summary>Endpoints whose service has not arrived: service key, then workload uid.</summary>
    public IReadOnlyCollection<KeyValuePair<NamespacedHostname, PersistentMap<string, Endpoint>>> StagedEndpoints => _indexes.Staged;

    internal MeshIndexes Indexes => _indexes;

    public static MeshSnapshot Empty(string? localNode = null) => new(0, MeshIndexes.Empty(localNode));

    public Workload? FindWorkloadByUid(string uid) => _indexes.WorkloadsByUid.GetValueOrDefault(uid);

    /// <summary>Of several workloads with one address the pod with a tunnel wins, then a pod, then a tunnel; among equals the last.</summary>
    public Workload? FindWorkload(string network, IPAddress address) => FindWorkload(new NetworkAddress(network, address));

    public Workload? FindWorkload(NetworkAddress address) =>
        _indexes.WorkloadsByAddress.TryGetValue(address, out var candidates) ? WorkloadRank.Best(candidates) : null;

    public Workload? FindWorkloadByHostname(NamespacedHostname name) =>
        _indexes.WorkloadsByHostname.TryGetValue(name, out var candidates) ? candidates[^1] : null;

    /// <summary>The workload of this node that a pod agent describes by names only; of several the first.</summary>
    public Workload? FindLocalWorkload(string @namespace, string name, string serviceAccount) =>
        _indexes.LocalByName.TryGetValue(new(@namespace, name, serviceAccount), out var candidates) ? candidates[0] : null;

    /// <summary>Workloads of this node that share a service account, hence a certificate, by uid.</summary>
    public PersistentMap<string, Workload> LocalWorkloads(string @namespace, string serviceAccount) =>
        _indexes.LocalByAccount.TryGetValue(new(@namespace, serviceAccount), out var workloads) ? workloads : PersistentMap<string, Workload>.Empty;

    public Service? FindService(NamespacedHostname key) => _indexes.Services.TryGetValue(key, out var entry) ? entry.Service : null;

    /// <summary>By virtual address as seen from a namespace: exact addresses before blocks. Null namespace: only public services, none preferred.</summary>
    public Service? FindService(string network, IPAddress address, string? clientNamespace) => FindService(new NetworkAddress(network, address), clientNamespace);

    public Service? FindService(NetworkAddress address, string? clientNamespace)
    {
        var exact = _indexes.ServicesByVip.TryGetValue(address, out var candidates) ? ServiceChoice.Best(candidates, clientNamespace, null) : null;
        return exact ?? _indexes.Cidrs.Find(address, clientNamespace);
    }

    /// <summary>The service of that hostname as seen from a namespace: its own, then the canonical one, then the preferred namespace's, then the first.</summary>
    public Service? FindServiceByHost(string hostname, string? clientNamespace, string? preferredNamespace = null) =>
        _indexes.ServicesByHost.TryGetValue(hostname, out var candidates) ? ServiceChoice.Best(candidates, clientNamespace, preferredNamespace) : null;

    /// <summary>Every service of that hostname in order of arrival, whoever may see it.</summary>
    public ReadOnlySpan<Service> ServicesByHost(string hostname) => _indexes.ServicesByHost.TryGetValue(hostname, out var services) ? services : [];

    public ServiceEndpoints? FindEndpoints(NamespacedHostname service) => _indexes.Services.GetValueOrDefault(service);

    public AuthorizationPolicy? FindPolicy(string xdsName) => _indexes.PoliciesByName.GetValueOrDefault(xdsName);

    /// <summary>Namespace-scoped policies; global ones are under the empty namespace.</summary>
    public ReadOnlySpan<AuthorizationPolicy> PoliciesOfNamespace(string @namespace) =>
        _indexes.PoliciesByNamespace.TryGetValue(@namespace, out var policies) ? policies : [];
}

using Mesh.Model.Collections;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;

namespace Mesh.Model;

internal readonly record struct LocalAccount(string Namespace, string ServiceAccount);

internal readonly record struct LocalName(string Namespace, string Name, string ServiceAccount);

/// <summary>The maps of one snapshot. Arrays in them are in order of arrival and never changed once published.</summary>
internal sealed record MeshIndexes
{
    public required string? LocalNode { get; init; }

    public required PersistentMap<string, Workload> WorkloadsByUid { get; init; }

    public required PersistentMap<NetworkAddress, Workload[]> WorkloadsByAddress { get; init; }

    public required PersistentMap<NamespacedHostname, Workload[]> WorkloadsByHostname { get; init; }

    public required PersistentMap<LocalName, Workload[]> LocalByName { get; init; }

    /// <summary>By uid within an account; not an array, because without a local node a whole mesh may run under one account.</summary>
    public required PersistentMap<LocalAccount, PersistentMap<string, Workload>> LocalByAccount { get; init; }

    public required PersistentMap<NamespacedHostname, ServiceEndpoints> Services { get; init; }

    public required PersistentMap<NetworkAddress, Service[]> ServicesByVip { get; init; }

    public required PersistentMap<string, Service[]> ServicesByHost { get; init; }

    public required CidrIndex Cidrs { get; init; }

    public required PersistentMap<NamespacedHostname, PersistentMap<string, Endpoint>> Staged { get; init; }

    public required PersistentMap<string, AuthorizationPolicy> PoliciesByName { get; init; }

    public required PersistentMap<string, AuthorizationPolicy[]> PoliciesByNamespace { get; init; }

    public static MeshIndexes Empty(string? localNode) => new()
    {
        LocalNode = localNode,
        WorkloadsByUid = PersistentMap<string, Workload>.Empty,
        WorkloadsByAddress = PersistentMap<NetworkAddress, Workload[]>.Empty,
        WorkloadsByHostname = PersistentMap<NamespacedHostname, Workload[]>.Empty,
        LocalByName = PersistentMap<LocalName, Workload[]>.Empty,
        LocalByAccount = PersistentMap<LocalAccount, PersistentMap<string, Workload>>.Empty,
        Services = PersistentMap<NamespacedHostname, ServiceEndpoints>.Empty,
        ServicesByVip = PersistentMap<NetworkAddress, Service[]>.Empty,
        ServicesByHost = PersistentMap<string, Service[]>.Empty,
        Cidrs = CidrIndex.Empty,
        Staged = PersistentMap<NamespacedHostname, PersistentMap<string, Endpoint>>.Empty,
        PoliciesByName = PersistentMap<string, AuthorizationPolicy>.Empty,
        PoliciesByNamespace = PersistentMap<string, AuthorizationPolicy[]>.Empty,
    };
}

/// <summary>Which workload an address means when several have it (a node's address, a VM beside a pod entry).</summary>
internal static class WorkloadRank
{
    public static Workload Best(Workload[] candidates)
    {
        var best = candidates[0];
        for (var i = 1; i < candidates.Length; i++)
        {
            if (Of(candidates[i]) >= Of(best))
                best = candidates[i];
        }

        return best;
    }

    public static int Of(Workload workload) =>
        (workload.Uid.Contains("//Pod/", StringComparison.Ordinal) ? 2 : 0) + (workload.Protocol == TunnelProtocol.Hbone ? 1 : 0);
}

/// <summary>Which service a name or address means to a client when several namespaces define it.</summary>
internal static class ServiceChoice
{
    public static Service? Best(ReadOnlySpan<Service> candidates, string? clientNamespace, string? preferredNamespace)
    {
        Service? canonical = null, preferred = null, first = null;
        foreach (var service in candidates)
        {
            if (!service.IsVisibleTo(clientNamespace))
                continue;
            if (clientNamespace is not null && service.Namespace == clientNamespace)
                return service;
            if (service.Canonical)
                canonical = service;
            if (preferredNamespace is not null && service.Namespace == preferredNamespace)
                preferred ??= service;
            first ??= service;
        }

        return canonical ?? preferred ?? first;
    }
}

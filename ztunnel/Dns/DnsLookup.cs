using System.Net;
using System.Net.Sockets;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.Dns;

/// <summary>What the mesh knows about a name. Null from <see cref="Find"/>: nothing, ask the real server.</summary>
/// <param name="Records">Empty: the name exists and has no such record; that is an answer, never NXDOMAIN.</param>
internal sealed record DnsAnswer(IReadOnlyList<DnsRecord> Records, Service? Service, string Result, int Endpoints);

/// <summary>Answers for service names out of one snapshot. Pure but for the order of the addresses.</summary>
/// <param name="searchDomains">Those of the one workload beside us; null: what the kubelet writes for the asking pod.</param>
internal sealed class DnsLookup(string network, string clusterDomain, string? preferredNamespace, bool ipv6, Func<IReadOnlyList<string>>? searchDomains = null)
{
    /// <summary>How an answer is called in the access line.</summary>
    public const string Success = "success";
    public const string NoRecords = "no records";
    public const string Unsupported = "service does not support this record type";

    public static DnsLookup For(ZtunnelSettings settings) => new(
        settings.Network, settings.ClusterDomain, settings.Dns.PreferredNamespace, settings.Ipv6, settings.Mode == ProxyMode.Dedicated ? () => ResolvConf.System.Search : null);

    /// <summary>Other operations and classes, and names that no service can have, are not ours to answer.</summary>
    public DnsAnswer? Find(MeshSnapshot mesh, Workload client, DnsQuery query, Random random) =>
        query is { Opcode: 0, Class: DnsClass.In } && !query.Name.Contains(DnsName.DotInLabel, StringComparison.Ordinal)
            ? Find(mesh, client, query.Name, query.Type, random)
            : null;

    public DnsAnswer? Find(MeshSnapshot mesh, Workload client, string name, ushort type, Random random)
    {
        if (type == DnsType.Ptr)
            return DnsReverse.Find(mesh, client, name, clusterDomain);
        if (type is not (DnsType.A or DnsType.Aaaa))
            return null;
        foreach (var alias in DnsAliases.Of(name, client.Namespace, clusterDomain, searchDomains?.Invoke() ?? DnsAliases.SearchDomains(client.Namespace, clusterDomain)))
        {
            if (FindService(mesh, client, alias.Name) is { } exact)
                return Answer(mesh, client, exact, name, alias, isWildcard: false, type, random);
            if (FindPod(mesh, client, alias.Name) is { } pod)
                return PodAnswer(pod.Workload, pod.Service, name, alias, type);
            foreach (var wildcard in DnsAliases.Wildcards(alias.Name))
            {
                if (FindService(mesh, client, wildcard) is { } covering)
                    return Answer(mesh, client, covering, name, alias, isWildcard: true, type, random);
            }
        }
        return null;
    }

    private Service? FindService(MeshSnapshot mesh, Workload client, string hostname)
    {
        Service? best = null;
        var bestRank = -1;
        foreach (var service in mesh.ServicesByHost(hostname))
        {
            // Without an address only a Kubernetes service can be answered (from its endpoints): others are names of the outside world.
            if (service.Vips.IsEmpty && !hostname.EndsWith($".svc.{clusterDomain}", StringComparison.Ordinal))
                continue;
            if (!service.IsVisibleTo(client.Namespace))
                continue;
            var rank = service.Namespace == client.Namespace ? 3 : service.Canonical ? 2 : service.Namespace == preferredNamespace ? 1 : 0;
            if (rank > bestRank)
                (best, bestRank) = (service, rank);
        }
        return best;
    }

    /// <summary><c>pod.service.namespace.svc.domain</c>: one pod of a headless service, as StatefulSets use it.</summary>
    private (Workload Workload, Service Service)? FindPod(MeshSnapshot mesh, Workload client, string name)
    {
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        if (dot <= 0 || FindService(mesh, client, name[(dot + 1)..]) is not { Vips.IsEmpty: true } service)
            return null;
        foreach (var endpoint in mesh.FindEndpoints(service.Key)?.Endpoints ?? [])
        {
            if (endpoint.Workload.Name.AsSpan().SequenceEqual(name.AsSpan(0, dot)))
                return (endpoint.Workload, service);
        }
        return null;
    }

    private DnsAnswer PodAnswer(Workload pod, Service service, string asked, DnsAliases.Alias alias, ushort type)
    {
        var family = type == DnsType.A ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6;
        var owner = alias.Stripped ?? asked;
        var records = new List<DnsRecord>();
        foreach (var address in pod.Addresses)
        {
            if (address.AddressFamily == family && (family == AddressFamily.InterNetwork || ipv6))
                records.Add(DnsRecord.Of(owner, address));
        }
        if (records.Count == 0)
            return new DnsAnswer([], service, NoRecords, 0);
        if (owner != asked)
            records.Insert(0, DnsRecord.Cname(asked, owner));
        return new DnsAnswer(records, service, Success, 1);
    }

    private DnsAnswer Answer(MeshSnapshot mesh, Workload client, Service service, string asked, DnsAliases.Alias alias, bool isWildcard, ushort type, Random random)
    {
        var family = type == DnsType.A ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6;
        if (!Allows(service, family))
            return new DnsAnswer([], service, Unsupported, 0);

        var addresses = new List<IPAddress>();
        var endpoints = 0;
        if (!service.Vips.IsEmpty)
        {
            foreach (var vip in service.Vips)
            {
                if (vip.Network == client.Network && vip.Address.AddressFamily == family)
                    addresses.Add(vip.Address);
            }
        }
        else
        {
            foreach (var endpoint in mesh.FindEndpoints(service.Key)?.Endpoints ?? [])
            {
                if (endpoint.Workload.Network != network && endpoint.Workload.Network != client.Network)
                    continue;
                foreach (var address in endpoint.Workload.Addresses)
                {
                    if (address.AddressFamily != family)
                        continue;
                    addresses.Add(address);
                    endpoints++;
                    break;
                }
            }
        }
        if (addresses.Count == 0)
            return new DnsAnswer([], service, NoRecords, 0);

        var shuffled = addresses.ToArray();
        random.Shuffle(shuffled);
        var records = new List<DnsRecord>(shuffled.Length + 1);
        var owner = asked;
        if (alias.Stripped is { } stripped && !isWildcard)
        {
            records.Add(DnsRecord.Cname(asked, stripped));
            owner = stripped;
        }
        foreach (var address in shuffled)
            records.Add(DnsRecord.Of(owner, address));
        return new DnsAnswer(records, service, Success, endpoints);
    }

    private bool Allows(Service service, AddressFamily family) => family == AddressFamily.InterNetwork
        ? service.IpFamilies is not IpFamilies.IPv6
        : ipv6 && service.IpFamilies is not IpFamilies.IPv4;
}

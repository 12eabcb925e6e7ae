using System.Net;
using System.Net.Sockets;
using Mesh.Ztunnel.Dns;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Outbound;

namespace Mesh.Ztunnel.Pods;

/// <summary>Names that a program gives us itself: those of the mesh first, as the pod's DNS would answer, then the outside world's.</summary>
internal sealed class NameResolver(PodLane lane)
{
    public async ValueTask<IPAddress?> ResolveAsync(string name, AddressFamily preferred)
    {
        if (IPAddress.TryParse(name, out var literal))
            return literal;
        if (await lane.Workload.WaitAsync() is not { } client)
            return null;
        var lookup = DnsLookup.For(lane.Settings);
        var type = preferred == AddressFamily.InterNetworkV6 ? DnsType.Aaaa : DnsType.A;
        var known = lookup.Find(lane.Workload.Mesh, client, name.TrimEnd('.').ToLowerInvariant(), type, lane.Services.Random);
        return known is null ? await HostResolver.ResolveAsync(name, preferred) : known.Records.FirstOrDefault(r => r.Address is not null).Address;
    }
}

using System.Globalization;
using System.Net;
using Mesh.Model;
using Mesh.Model.Workloads;

namespace Mesh.Ztunnel.Dns;

/// <summary>From an address to a name: services by their virtual address, pods of headless services by theirs. Others are for the real server.</summary>
internal static class DnsReverse
{
    private const string V4Suffix = ".in-addr.arpa";
    private const string V6Suffix = ".ip6.arpa";
    private const int V6Nibbles = 32;

    public static DnsAnswer? Find(MeshSnapshot mesh, Workload client, string name, string clusterDomain)
    {
        if (Parse(name) is not { } address)
            return null;
        // Blocks of addresses have no single name.
        if (mesh.FindService(client.Network, address, client.Namespace) is { } service && service.Vips.Contains(new NetworkAddress(client.Network, address)))
            return new DnsAnswer([DnsRecord.Pointer(name, service.Hostname)], service, DnsLookup.Success, 0);
        if (mesh.FindWorkload(client.Network, address) is not { } workload)
            return null;
        foreach (var membership in workload.Services)
        {
            if (mesh.FindService(membership.Service) is { Vips.IsEmpty: true } headless && headless.Hostname.EndsWith($".svc.{clusterDomain}", StringComparison.Ordinal))
                return new DnsAnswer([DnsRecord.Pointer(name, $"{workload.Name}.{headless.Hostname}")], headless, DnsLookup.Success, 1);
        }
        return null;
    }

    internal static IPAddress? Parse(string name)
    {
        if (name.EndsWith(V4Suffix, StringComparison.Ordinal))
        {
            var parts = name[..^V4Suffix.Length].Split('.');
            Array.Reverse(parts);
            return parts.Length == 4 && IPAddress.TryParse(string.Join('.', parts), out var v4) ? v4 : null;
        }
        if (!name.EndsWith(V6Suffix, StringComparison.Ordinal))
            return null;
        var nibbles = name[..^V6Suffix.Length].Split('.');
        if (nibbles.Length != V6Nibbles)
            return null;
        var bytes = new byte[16];
        for (var i = 0; i < V6Nibbles; i++)
        {
            if (nibbles[V6Nibbles - 1 - i] is not { Length: 1 } digit || !byte.TryParse(digit, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
                return null;
            bytes[i / 2] |= (byte)(i % 2 == 0 ? value << 4 : value);
        }
        return new IPAddress(bytes);
    }
}

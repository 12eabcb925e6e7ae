using System.Net;
using System.Net.Sockets;

namespace Mesh.Ztunnel.Outbound;

/// <summary>Names of workloads that have no address, resolved in our own namespace. Rare, so the system's resolver does it.</summary>
internal static class HostResolver
{
    public static async Task<IPAddress?> ResolveAsync(string hostname, AddressFamily preferred)
    {
        IPAddress[] addresses;
        try
        {
            addresses = await System.Net.Dns.GetHostAddressesAsync(hostname);
        }
        catch (SocketException)
        {
            return null;
        }
        var matching = addresses.Where(a => a.AddressFamily == preferred).ToArray();
        var candidates = matching.Length > 0 ? matching : addresses;
        return candidates.Length == 0 ? null : candidates[Random.Shared.Next(candidates.Length)];
    }
}

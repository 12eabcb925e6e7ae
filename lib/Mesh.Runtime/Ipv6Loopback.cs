using System.Net.Sockets;

namespace Mesh.Runtime;

/// <summary>
/// Whether <c>::1</c> can be listened on. A kernel with IPv6 does not mean that: containers and hardened nodes switch it off on the loopback
/// interface, and a socket there can be made and not bound.
/// </summary>
public static class Ipv6Loopback
{
    /// <summary>Per network namespace: that of the reading thread.</summary>
    private const string Switch = "/proc/sys/net/ipv6/conf/lo/disable_ipv6";

    public static bool IsThere => Socket.OSSupportsIPv6 && File.Exists("/proc/net/if_inet6") && IsOn(Switch);

    internal static bool IsOn(string path) => !File.Exists(path) || File.ReadAllText(path).Trim() == "0";
}

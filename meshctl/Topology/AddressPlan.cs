using System.Globalization;
using System.Net;

namespace Mesh.Meshctl.Topology;

/// <summary>Who has which address: everything inside 198.18.0.0/15, the range that RFC 2544 reserves for set-ups that never touch the Internet.</summary>
/// <remarks>
/// 198.18.0.0/24 joins the nodes (the switch .1, the control plane .2, node n at .(10+n)); node n has 198.18.n.0/24 for its pods with the node itself at .1;
/// 198.19.0.0/16 are the services' virtual addresses, which no interface ever has.
/// </remarks>
internal static class AddressPlan
{
    public const int MaxNodes = 200;
    public const int FirstPod = 10;
    public const int LastPod = 254;

    public const string VirtualPrefix = "198.19.0.0/16";

    public static IPAddress Switch => IPAddress.Parse("198.18.0.1");

    public static IPAddress ControlPlane => IPAddress.Parse("198.18.0.2");

    public static IPAddress Uplink(int node) => Parse($"198.18.0.{10 + CheckNode(node)}");

    public static IPAddress Node(int node) => Parse($"198.18.{CheckNode(node)}.1");

    public static string NodePrefix(int node) => string.Create(CultureInfo.InvariantCulture, $"198.18.{CheckNode(node)}.0/24");

    public static IPAddress Pod(int node, int host)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(host, FirstPod);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(host, LastPod);
        return Parse($"198.18.{CheckNode(node)}.{host}");
    }

    /// <summary>The n-th virtual address, beginning with 198.19.0.1.</summary>
    public static IPAddress Virtual(int index)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(index, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(index, 65_533);
        return Parse($"198.19.{(index + 1) / 256}.{(index + 1) % 256}");
    }

    public static string NodeName(int node) => string.Create(CultureInfo.InvariantCulture, $"node-{node}");

    private static int CheckNode(int node)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(node, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(node, MaxNodes);
        return node;
    }

    private static IPAddress Parse(FormattableString address) => IPAddress.Parse(address.ToString(CultureInfo.InvariantCulture));
}

using Mesh.Net.Native;

namespace Mesh.Net.Netlink;

/// <summary>The kernel refused a change of the routing, or a look at it; the message says which, why, and what helps.</summary>
public sealed class NetlinkFailureException : IOException
{
    /// <param name="errno">The error that the kernel named.</param>
    /// <param name="what">What was attempted, as a verb phrase.</param>
    /// <param name="words">What the kernel says besides, if it does.</param>
    internal NetlinkFailureException(int errno, string what, string? words)
        : base($"Cannot {what}: {Errno.Text(errno)}{(words is null ? string.Empty : $", {words}")}.{Advice(errno)}") => ErrorCode = errno;

    /// <summary>The <c>errno</c>.</summary>
    public int ErrorCode { get; }

    private static string Advice(int errno) => errno switch
    {
        Errno.EPERM => " The process lacks CAP_NET_ADMIN in the user namespace that owns this network namespace.",
        Errno.ENETDOWN or Errno.ENODEV => " The loopback interface of this network namespace is down: what makes the namespace has to set it up ('ip link set lo up').",
        Errno.EAFNOSUPPORT or Errno.EOPNOTSUPP => " The kernel has no policy routing for this address family (CONFIG_IP_MULTIPLE_TABLES, CONFIG_IPV6_MULTIPLE_TABLES); "
            + "with IPv6 disabled in the kernel, switch it off in the settings too.",
        Errno.ENOBUFS or Errno.ENOMEM => " The system is short of memory; it will be tried again.",
        _ => string.Empty,
    };
}

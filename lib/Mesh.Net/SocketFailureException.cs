using System.Net;
using Mesh.Net.Native;

namespace Mesh.Net;

/// <summary>A socket could not be set up. Endings of running connections are values, never this.</summary>
public sealed class SocketFailureException : IOException
{
    /// <param name="errno">The error of the system call.</param>
    /// <param name="what">What was attempted, as a verb phrase: "listen", "enter the network namespace".</param>
    /// <param name="endpoint">The address concerned, if any.</param>
    public SocketFailureException(int errno, string what, EndPoint? endpoint)
        : this(errno, what, endpoint?.ToString())
    {
    }

    internal SocketFailureException(int errno, string what, string? on)
        : base(Describe(errno, what, on)) => ErrorCode = errno;

    /// <summary>The <c>errno</c> of the system call.</summary>
    public int ErrorCode { get; }

    internal static void ThrowIfNegative(int result, string what, string? on)
    {
        if (result < 0)
            throw new SocketFailureException(Errno.Last, what, on);
    }

    private static string Describe(int errno, string what, string? on)
    {
        var advice = errno switch
        {
            Errno.EADDRINUSE => " Another socket owns this address: end the other process or choose another port.",
            Errno.EADDRNOTAVAIL => " No interface of this network namespace has this address.",
            Errno.EACCES or Errno.EPERM => " The process lacks a capability for this (CAP_NET_ADMIN for marks and transparent sockets, "
                + "CAP_SYS_ADMIN for network namespaces, CAP_NET_BIND_SERVICE for low ports).",
            Errno.EMFILE or Errno.ENFILE => " No file descriptor is left: raise the limit (LimitNOFILE, ulimit -n) or reduce the number of connections.",
            Errno.EAFNOSUPPORT => " This address family is not available here; with IPv6 disabled in the kernel, switch it off in the settings too.",
            _ => string.Empty,
        };
        return $"Cannot {what}{(on is null ? string.Empty : $" ({on})")}: {Errno.Text(errno)}.{advice}";
    }
}

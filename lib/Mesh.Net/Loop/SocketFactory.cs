using System.Net;
using System.Net.Sockets;
using Mesh.Net.Native;

namespace Mesh.Net.Loop;

/// <summary>Makes raw sockets in the right namespace and sets their options.</summary>
internal static unsafe class SocketFactory
{
    internal static int FamilyOf(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? Libc.AF_INET6 : Libc.AF_INET;

    /// <summary>The <c>socket()</c> call, on the loop's thread, inside <paramref name="where"/>. Negative: see <see cref="Errno.Last"/>.</summary>
    /// <remarks>Two <c>setns</c> around one call; the loop's thread is inside for microseconds and runs nothing else there.</remarks>
    internal static int Create(EventLoop loop, NetworkNamespace? where, int family, int type)
    {
        type |= Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC;
        if (where is null || where.Id == loop.Home.Id)
            return Libc.socket(family, type, 0);
        var home = loop.Home;
        where.Enter();
        var fd = Libc.socket(family, type, 0);
        var error = Errno.Last;
        home.EnterOrDie();
        System.Runtime.InteropServices.Marshal.SetLastPInvokeError(error);
        return fd;
    }

    internal static bool Bind(int fd, IPEndPoint endpoint, bool v6)
    {
        var address = NativeAddress.From(endpoint, v6);
        return Libc.bind(fd, &address, address.Length) == 0;
    }

    internal static NativeAddress LocalAddress(int fd)
    {
        NativeAddress address = default;
        uint length = NativeAddress.Capacity;
        _ = Libc.getsockname(fd, &address, &length);
        return address;
    }

    internal static bool SetMark(int fd, uint mark) => mark == 0 || Libc.TrySetOption(fd, Libc.SOL_SOCKET, Libc.SO_MARK, (int)mark);

    /// <summary>IP_TRANSPARENT of the right family, and the permission to bind an address that is not there.</summary>
    internal static bool SetTransparent(int fd, int family) => family == Libc.AF_INET6
        ? Libc.TrySetOption(fd, Libc.SOL_IPV6, Libc.IPV6_TRANSPARENT, 1) && Libc.TrySetOption(fd, Libc.SOL_IPV6, Libc.IPV6_FREEBIND, 1)
        : Libc.TrySetOption(fd, Libc.SOL_IP, Libc.IP_TRANSPARENT, 1) && Libc.TrySetOption(fd, Libc.SOL_IP, Libc.IP_FREEBIND, 1);

    internal static void SetKeepAlive(int fd, KeepAliveOptions options)
    {
        // The kernel counts in whole seconds, at least one.
        Libc.TrySetOption(fd, Libc.SOL_SOCKET, Libc.SO_KEEPALIVE, 1);
        Libc.TrySetOption(fd, Libc.SOL_TCP, Libc.TCP_KEEPIDLE, Math.Max(1, (int)options.Time.TotalSeconds));
        Libc.TrySetOption(fd, Libc.SOL_TCP, Libc.TCP_KEEPINTVL, Math.Max(1, (int)options.Interval.TotalSeconds));
        Libc.TrySetOption(fd, Libc.SOL_TCP, Libc.TCP_KEEPCNT, Math.Max(1, options.Retries));
    }
}

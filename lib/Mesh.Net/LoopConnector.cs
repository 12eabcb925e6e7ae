using System.Net;
using Mesh.Net.Loop;
using Mesh.Net.Native;

namespace Mesh.Net;

/// <summary>Makes outgoing TCP connections on a loop.</summary>
public static class LoopConnector
{
    /// <summary>Deadline when the options name none; the value of ztunnel.</summary>
    private static readonly TimeSpan s_defaultTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Connects. Every failure is a value; the caller owns the socket.</summary>
    public static unsafe ValueTask<ConnectResult> ConnectAsync(EventLoop loop, ConnectOptions o)
    {
        ArgumentNullException.ThrowIfNull(loop);
        loop.EnsureInLoop();
        var family = SocketFactory.FamilyOf(o.Remote.Address);
        int fd;
        try
        {
            fd = SocketFactory.Create(loop, o.NetworkNamespace, family, Libc.SOCK_STREAM);
        }
        catch (SocketFailureException e)
        {
            return new(new ConnectResult(null, ConnectFailure.Other, e.ErrorCode, e.Message, null));
        }

        if (fd < 0)
            return Failed(Errno.Last, o.Remote, null);
        if (!SocketFactory.SetMark(fd, o.Mark))
            return Close(fd, "mark the socket (SO_MARK)", o.Remote);
        var sourceFailure = o.TransparentSource is { } source ? Spoof(fd, family, source) : null;
        if (o.TransparentSource is null && o.BindAddress is { } own && !BindWithoutPort(fd, family, own))
            return Close(fd, $"connect from {own}", o.Remote);
        Libc.TrySetOption(fd, Libc.SOL_TCP, Libc.TCP_NODELAY, 1);
        if (o.KeepAlive is { } keepAlive)
            SocketFactory.SetKeepAlive(fd, keepAlive);
        if (o.UserTimeout is { } timeout)
            Libc.TrySetOption(fd, Libc.SOL_TCP, Libc.TCP_USER_TIMEOUT, (int)timeout.TotalMilliseconds);

        var remote = NativeAddress.From(o.Remote, forV6Socket: false);
        var result = Libc.connect(fd, &remote, remote.Length);
        var error = Errno.Last;
        if (result < 0 && error is not (Errno.EINPROGRESS or Errno.EINTR))
        {
            _ = Libc.close(fd);
            return Failed(error, o.Remote, sourceFailure);
        }

        LoopSocket socket;
        try
        {
            socket = new LoopSocket(loop, fd, remote);
        }
        catch (SocketFailureException e)
        {
            return new(new ConnectResult(null, ConnectFailure.Other, e.ErrorCode, e.Message, sourceFailure));
        }

        if (result == 0)
            return new(new ConnectResult(socket, ConnectFailure.None, 0, null, sourceFailure));
        socket.ExpectConnect();
        return FinishAsync(socket, o.Timeout > TimeSpan.Zero ? o.Timeout : s_defaultTimeout, sourceFailure);
    }

    private static async ValueTask<ConnectResult> FinishAsync(LoopSocket socket, TimeSpan timeout, string? sourceFailure)
    {
        var deadline = socket.Loop.Schedule(timeout, static s => ((LoopSocket)s!).EndWriteWait(), socket);
        var ready = await socket.WaitWritableAsync();
        socket.ForgetWriteWait();
        deadline.Cancel();
        var remote = socket.RemoteEndPoint;
        if (!ready)
        {
            var why = socket.IsClosed ? $"the loop ended while connecting to {remote}" : $"no answer from {remote} within {timeout.TotalSeconds:0.###} s";
            var failure = socket.IsClosed ? ConnectFailure.Other : ConnectFailure.TimedOut;
            socket.Dispose();
            return new ConnectResult(null, failure, 0, why, sourceFailure);
        }

        var error = socket.TakeError();
        if (error == 0)
            return new ConnectResult(socket, ConnectFailure.None, 0, null, sourceFailure);
        socket.Dispose();
        return Describe(error, remote, sourceFailure);
    }

    /// <summary>Binds an address that is not ours. Null when it worked, else why not; the socket can still connect from its own address.</summary>
    private static string? Spoof(int fd, int family, IPAddress source)
    {
        if (SocketFactory.FamilyOf(source) != family)
            return $"cannot keep the source address {source}: the destination has another address family";
        if (!SocketFactory.SetTransparent(fd, family))
            return $"cannot keep the source address {source}: {Errno.Text(Errno.Last)} from IP_TRANSPARENT";
        return BindWithoutPort(fd, family, source) ? null : $"cannot keep the source address {source}: {Errno.Text(Errno.Last)} from bind";
    }

    /// <summary>Binds the address only: the port is chosen at connect, when the far end is known, so that one port serves many destinations.</summary>
    private static bool BindWithoutPort(int fd, int family, IPAddress address)
    {
        Libc.TrySetOption(fd, Libc.SOL_IP, Libc.IP_BIND_ADDRESS_NO_PORT, 1);
        return SocketFactory.Bind(fd, new IPEndPoint(address, 0), family == Libc.AF_INET6);
    }

    private static ValueTask<ConnectResult> Close(int fd, string step, IPEndPoint remote)
    {
        var error = new SocketFailureException(Errno.Last, step, remote);
        _ = Libc.close(fd);
        return new(new ConnectResult(null, ConnectFailure.Other, error.ErrorCode, error.Message, null));
    }

    private static ValueTask<ConnectResult> Failed(int error, IPEndPoint remote, string? sourceFailure) => new(Describe(error, remote, sourceFailure));

    private static ConnectResult Describe(int error, IPEndPoint remote, string? sourceFailure)
    {
        var failure = error switch
        {
            Errno.ECONNREFUSED => ConnectFailure.Refused,
            Errno.ETIMEDOUT => ConnectFailure.TimedOut,
            Errno.ENETUNREACH or Errno.EHOSTUNREACH or Errno.ENETDOWN or Errno.EHOSTDOWN => ConnectFailure.Unreachable,
            _ => ConnectFailure.Other,
        };
        return new ConnectResult(null, failure, error, $"cannot connect to {remote}: {Errno.Text(error)}", sourceFailure);
    }
}

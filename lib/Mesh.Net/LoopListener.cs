using System.Net;
using Mesh.Net.Loop;
using Mesh.Net.Native;

namespace Mesh.Net;

/// <summary>A listening TCP socket on a loop. Accepts in batches and hands each socket to one callback.</summary>
/// <remarks>
/// When the process has no descriptor left, one waiting connection is refused with the loop's reserve descriptor (its client learns at once) and the
/// listener rests; with an edge-triggered epoll it would otherwise never wake again, with a level-triggered one it would spin.
/// </remarks>
public sealed unsafe class LoopListener : LoopDescriptor, IResumable
{
    /// <summary>Connections per turn: enough to empty a burst quickly, few enough not to delay established connections.</summary>
    private const int Batch = 64;

    private readonly Action<LoopSocket> _onAccepted;
    private readonly int _backlog;
    private LoopTimer? _rest;

    private LoopListener(EventLoop loop, int descriptor, int backlog, Action<LoopSocket> onAccepted)
        : base(loop, descriptor)
    {
        _backlog = backlog;
        _onAccepted = onAccepted;
        LocalEndPoint = SocketFactory.LocalAddress(descriptor).ToEndPoint();
    }

    /// <summary>The bound address, with the port the kernel chose for 0.</summary>
    public IPEndPoint LocalEndPoint { get; }

    bool IResumable.IsResumeQueued { get; set; }

    /// <summary>Opens the listener. <paramref name="onAccepted"/> owns each socket it gets. Throws <see cref="SocketFailureException"/>.</summary>
    public static LoopListener Listen(EventLoop loop, ListenOptions o, Action<LoopSocket> onAccepted)
    {
        ArgumentNullException.ThrowIfNull(loop);
        ArgumentNullException.ThrowIfNull(o);
        loop.EnsureInLoop();
        var family = SocketFactory.FamilyOf(o.EndPoint.Address);
        var fd = SocketFactory.Create(loop, o.NetworkNamespace, family, Libc.SOCK_STREAM);
        var step = Prepare(fd, family, o);
        if (step is null)
            return new LoopListener(loop, fd, o.Backlog, onAccepted);
        var error = Errno.Last;
        if (fd >= 0)
            _ = Libc.close(fd);
        throw new SocketFailureException(error, step, o.EndPoint);
    }

    /// <summary>Whether this process may make transparent sockets (IP_TRANSPARENT): the way to find out is to try.</summary>
    public static bool CanBeTransparent()
    {
        var fd = Libc.socket(Libc.AF_INET, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, 0);
        if (fd < 0)
            return false;
        var can = SocketFactory.SetTransparent(fd, Libc.AF_INET);
        _ = Libc.close(fd);
        return can;
    }

    /// <summary>Whether this process may mark sockets (SO_MARK).</summary>
    public static bool CanMark(uint mark)
    {
        var fd = Libc.socket(Libc.AF_INET, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, 0);
        if (fd < 0)
            return false;
        var can = SocketFactory.SetMark(fd, mark);
        _ = Libc.close(fd);
        return can;
    }

    /// <summary>Takes what the kernel has accepted already, then closes: those clients believe that they are connected.</summary>
    public void CloseAfterAccepting()
    {
        // Bounded: under a flood there is always one more.
        for (var i = 0; i < _backlog && !IsClosed && AcceptOne(); i++)
        {
        }

        Dispose();
    }

    /// <inheritdoc/>
    public override string ToString() => $"listener {LocalEndPoint}";

    void IResumable.Resume() => Accept();

    private protected override void OnReadable() => Accept();

    private protected override void OnClosing() => _rest?.Cancel();

    /// <summary>Returns the step that failed, or null.</summary>
    private static string? Prepare(int fd, int family, ListenOptions o)
    {
        if (fd < 0)
            return "create a listening socket";
        Libc.TrySetOption(fd, Libc.SOL_SOCKET, Libc.SO_REUSEADDR, 1);
        if (o.ReusePort && !Libc.TrySetOption(fd, Libc.SOL_SOCKET, Libc.SO_REUSEPORT, 1))
            return "share the port (SO_REUSEPORT)";
        if (family == Libc.AF_INET6 && !Libc.TrySetOption(fd, Libc.SOL_IPV6, Libc.IPV6_V6ONLY, o.IPv6Only ? 1 : 0))
            return "choose between IPv6 only and dual stack";
        if (!SocketFactory.SetMark(fd, o.Mark))
            return "mark the listening socket (SO_MARK)";
        if (o.Transparent && !SocketFactory.SetTransparent(fd, family))
            return "make the listening socket transparent (IP_TRANSPARENT)";
        if (o.Transparent && family == Libc.AF_INET6 && !o.IPv6Only)
            SocketFactory.SetTransparent(fd, Libc.AF_INET);

        // Inherited by every accepted socket: no system call per connection.
        Libc.TrySetOption(fd, Libc.SOL_TCP, Libc.TCP_NODELAY, 1);
        if (o.KeepAlive is { } keepAlive)
            SocketFactory.SetKeepAlive(fd, keepAlive);
        if (o.UserTimeout is { } timeout)
            Libc.TrySetOption(fd, Libc.SOL_TCP, Libc.TCP_USER_TIMEOUT, (int)timeout.TotalMilliseconds);
        if (!SocketFactory.Bind(fd, o.EndPoint, family == Libc.AF_INET6))
            return "bind";
        return Libc.listen(fd, o.Backlog) < 0 ? "listen" : null;
    }

    private bool AcceptOne()
    {
        NativeAddress remote = default;
        uint length = NativeAddress.Capacity;
        var fd = Libc.accept4(Descriptor, &remote, &length, Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC);
        if (fd < 0)
            return false;
        HandOver(fd, remote);
        return true;
    }

    private void Accept()
    {
        for (var i = 0; i < Batch && !IsClosed; i++)
        {
            if (AcceptOne())
                continue;
            switch (Errno.Last)
            {
                case Errno.EAGAIN:
                    return;
                case Errno.ECONNABORTED or Errno.EINTR or Errno.EPROTO or Errno.ENOPROTOOPT or Errno.EPERM or Errno.EOPNOTSUPP
                    or Errno.ENETDOWN or Errno.EHOSTDOWN or Errno.ENETUNREACH or Errno.EHOSTUNREACH or Errno.ETIMEDOUT:
                    // accept(2): these belong to the connection that was waiting (gone before we came, network down); the next one may be fine.
                    continue;
                case Errno.EMFILE or Errno.ENFILE:
                    RefuseOne();
                    Rest();
                    return;
                default:
                    Rest();
                    return;
            }
        }

        if (!IsClosed)
            Loop.RunNextIteration(this);
    }

    private void HandOver(int fd, in NativeAddress remote)
    {
        LoopSocket? socket = null;
        try
        {
            socket = new LoopSocket(Loop, fd, remote);
            _onAccepted(socket);
        }
        catch (Exception e)
        {
            // The fault of one connection must not close the listener.
            Loop.Unhandled(e, (object?)socket ?? "an accepted connection");
        }
    }

    private void RefuseOne()
    {
        if (Loop.GiveUpReserve())
        {
            var fd = Libc.accept4(Descriptor, null, null, Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC);
            if (fd >= 0)
                _ = Libc.close(fd);
        }

        Loop.TakeReserve();
    }

    private void Rest()
    {
        Loop.Metrics.CountAcceptBackoff();
        _rest ??= Loop.CreateTimer(static l => ((LoopListener)l!).Accept(), this);
        _rest.Start(Loop.Options.AcceptBackoff);
    }
}

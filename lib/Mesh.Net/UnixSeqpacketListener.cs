using Mesh.Net.Native;

namespace Mesh.Net;

/// <summary>Listens on an AF_UNIX SOCK_SEQPACKET path.</summary>
public sealed class UnixSeqpacketListener : LoopDescriptor
{
    private readonly Action<UnixSeqpacketSocket> _onAccepted;

    private UnixSeqpacketListener(EventLoop loop, int descriptor, string path, Action<UnixSeqpacketSocket> onAccepted)
        : base(loop, descriptor)
    {
        Path = path;
        _onAccepted = onAccepted;
    }

    /// <summary>The path; removed when the listener is closed.</summary>
    public string Path { get; }

    /// <summary>Opens the listener; a socket file that a dead process left behind is replaced. Throws <see cref="SocketFailureException"/>.</summary>
    public static unsafe UnixSeqpacketListener Listen(EventLoop loop, string path, Action<UnixSeqpacketSocket> onAccepted)
    {
        ArgumentNullException.ThrowIfNull(loop);
        loop.EnsureInLoop();
        var fd = UnixSeqpacketSocket.Create();
        var address = stackalloc byte[UnixAddress.Capacity];
        var length = UnixAddress.Fill(new Span<byte>(address, UnixAddress.Capacity), path);
        var bound = Libc.bind(fd, address, length) == 0;
        if (!bound && Errno.Last == Errno.EADDRINUSE && IsDead(address, length))
        {
            File.Delete(path);
            bound = Libc.bind(fd, address, length) == 0;
        }

        if (bound && Libc.listen(fd, 16) == 0)
            return new UnixSeqpacketListener(loop, fd, path, onAccepted);
        var error = Errno.Last;
        _ = Libc.close(fd);
        throw new SocketFailureException(error, "listen on the Unix socket", path);
    }

    private protected override void OnClosing() => File.Delete(Path);

    private protected override unsafe void OnReadable()
    {
        while (!IsClosed)
        {
            var fd = Libc.accept4(Descriptor, null, null, Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC);
            if (fd < 0)
                return;
            _onAccepted(new UnixSeqpacketSocket(Loop, fd));
        }
    }

    /// <summary>Nobody listens on the path: the file is a leftover.</summary>
    private static unsafe bool IsDead(byte* address, uint length)
    {
        var probe = UnixSeqpacketSocket.Create();
        var refused = Libc.connect(probe, address, length) < 0 && Errno.Last == Errno.ECONNREFUSED;
        _ = Libc.close(probe);
        return refused;
    }
}

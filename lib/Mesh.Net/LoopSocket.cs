using System.Net;
using Mesh.Net.Loop;
using Mesh.Net.Native;

namespace Mesh.Net;

/// <summary>A connected stream socket on a loop: non-blocking, close-on-exec. One object of about 200 bytes; no buffer, no allocation per operation.</summary>
public sealed unsafe partial class LoopSocket : LoopDescriptor
{
    private NativeAddress _remote;
    private IPEndPoint? _remoteEndPoint;
    private IPEndPoint? _localEndPoint;

    internal LoopSocket(EventLoop loop, int descriptor, in NativeAddress remote)
        : base(loop, descriptor) => _remote = remote;

    /// <summary>Told of readiness when no story waits. Setting it calls nothing: try once, readiness is remembered.</summary>
    public ISocketHandler? Handler { get; set; }

    /// <summary>Our address; IPv4-mapped addresses are unmapped.</summary>
    public IPEndPoint LocalEndPoint => _localEndPoint ??= SocketFactory.LocalAddress(Descriptor).ToEndPoint();

    /// <summary>The peer's address; IPv4-mapped addresses are unmapped.</summary>
    public IPEndPoint RemoteEndPoint => _remoteEndPoint ??= _remote.ToEndPoint();

    /// <summary><c>errno</c> of the last call that gave <see cref="IoStatus.Failed"/>.</summary>
    public int LastError { get; private set; }

    /// <summary>Text of <see cref="LastError"/>.</summary>
    public string LastErrorText => Errno.Text(LastError);

    /// <summary>The connection was broken by the peer (RST) rather than by a local fault.</summary>
    public bool IsReset => LastError is Errno.ECONNRESET or Errno.EPIPE or Errno.ECONNABORTED;

    /// <summary>Receives what is there, without waiting.</summary>
    public IoStatus TryReceive(Span<byte> buffer, out int count)
    {
        count = 0;
        if (!Readable)
            return IsClosed ? Fail(Errno.EBADF) : IoStatus.WouldBlock;
        nint received;
        fixed (byte* p = buffer)
        {
            do
            {
                received = Libc.recv(Descriptor, p, (nuint)buffer.Length, 0);
            }
            while (received < 0 && Errno.Last == Errno.EINTR);
        }

        Verified = false;
        if (received > 0)
        {
            // A short read emptied the socket; what comes later brings a new edge. The end of the stream may already be there, though, with its edge behind us.
            if (received < buffer.Length && !HangUp)
                Readable = false;
            count = (int)received;
            return IoStatus.Done;
        }

        if (received == 0)
            return buffer.IsEmpty ? IoStatus.Done : IoStatus.EndOfStream;
        if (Errno.Last != Errno.EAGAIN)
            return Fail(Errno.Last);
        Readable = false;
        return IoStatus.WouldBlock;
    }

    /// <summary>Sends what the kernel takes, without waiting. A short count means that the rest would block.</summary>
    public IoStatus TrySend(ReadOnlySpan<byte> data, out int count)
    {
        count = 0;
        if (!Writable)
            return IsClosed ? Fail(Errno.EBADF) : IoStatus.WouldBlock;
        nint sent;
        fixed (byte* p = data)
        {
            do
            {
                sent = Libc.send(Descriptor, p, (nuint)data.Length, Libc.MSG_NOSIGNAL);
            }
            while (sent < 0 && Errno.Last == Errno.EINTR);
        }

        if (sent >= 0)
        {
            if (sent < data.Length)
                Writable = false;
            count = (int)sent;
            return IoStatus.Done;
        }

        if (Errno.Last != Errno.EAGAIN)
            return Fail(Errno.Last);
        Writable = false;
        return IoStatus.WouldBlock;
    }

    /// <summary>Whether receiving would give something, the end or an error now. Looks into the socket only when the last edge does not say.</summary>
    public bool ProbeReadable()
    {
        if (!Readable || Verified)
            return Readable;
        byte one;
        var peeked = Libc.recv(Descriptor, &one, 1, Libc.MSG_PEEK);
        if (peeked < 0 && Errno.Last == Errno.EAGAIN)
            Readable = false;
        return Readable;
    }

    /// <summary>Ends our direction (FIN); the peer's stays open.</summary>
    public void ShutdownSend()
    {
        if (!IsClosed)
            _ = Libc.shutdown(Descriptor, Libc.SHUT_WR);
    }

    /// <summary>Closes with RST: the peer learns that this was not an orderly end, and nothing lingers in the kernel.</summary>
    public void Abort()
    {
        if (IsClosed)
            return;
        var linger = stackalloc int[2];
        linger[0] = 1;
        linger[1] = 0;
        _ = Libc.setsockopt(Descriptor, Libc.SOL_SOCKET, Libc.SO_LINGER, linger, 2 * sizeof(int));
        Dispose();
    }

    /// <summary>
    /// Hands a fresh socket to another loop; this object is as good as disposed. <paramref name="arrived"/> owns the new one and runs on <paramref name="target"/>.
    /// </summary>
    /// <remarks>Only before anything was received, sent or awaited here: readiness and handlers do not move.</remarks>
    public void MoveTo(EventLoop target, Action<LoopSocket> arrived)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(arrived);
        var remote = _remote;
        var descriptor = Detach();
        target.PostOrElse(() => arrived(new LoopSocket(target, descriptor, remote)), () => _ = Libc.close(descriptor));
    }

    /// <summary>
    /// Where the peer wanted to go before it was redirected: conntrack's record (REDIRECT, DNAT), else our own address, which is the destination
    /// under TPROXY.
    /// </summary>
    public IPEndPoint? GetOriginalDestination()
    {
        if (IsClosed)
            return null;
        NativeAddress address = default;
        uint length = NativeAddress.Capacity;

        // A dual-stack socket has an IPv6 descriptor but an IPv4 connection: conntrack knows the connection.
        // Both ends have one family, and the peer's address came with the socket.
        var level = RemoteEndPoint.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? Libc.SOL_IPV6 : Libc.SOL_IP;
        return Libc.getsockopt(Descriptor, level, Libc.ORIGINAL_DST, &address, &length) == 0 ? address.ToEndPoint() : LocalEndPoint;
    }

    /// <summary>Probes a silent peer.</summary>
    public void SetKeepAlive(KeepAliveOptions options) => SocketFactory.SetKeepAlive(Descriptor, options);

    /// <summary>How long sent data may stay unacknowledged before the kernel gives the connection up.</summary>
    public void SetUserTimeout(TimeSpan timeout) => Libc.TrySetOption(Descriptor, Libc.SOL_TCP, Libc.TCP_USER_TIMEOUT, (int)timeout.TotalMilliseconds);

    /// <summary>SO_MARK of the socket.</summary>
    public uint Mark
    {
        get
        {
            uint mark = 0;
            uint length = sizeof(uint);
            _ = Libc.getsockopt(Descriptor, Libc.SOL_SOCKET, Libc.SO_MARK, &mark, &length);
            return mark;
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"socket {Descriptor} to {RemoteEndPoint}";

    /// <summary>The peer has ended its direction or the connection is broken; bytes may still be unread.</summary>
    internal bool HasHungUp => IsClosed || HangUp;

    internal int TakeError()
    {
        var error = 0;
        uint length = sizeof(int);
        return Libc.getsockopt(Descriptor, Libc.SOL_SOCKET, Libc.SO_ERROR, &error, &length) == 0 ? error : Errno.Last;
    }

    /// <summary>Connecting: not writable until the kernel says so.</summary>
    internal void ExpectConnect() => Readable = Writable = false;

    private protected override void OnReadable() => Handler?.OnReadable();

    private protected override void OnWritable() => Handler?.OnWritable();

    private protected override void OnClosed() => (Handler as ISocketOwner)?.OnSocketClosed();

    private IoStatus Fail(int error)
    {
        LastError = error;
        return IoStatus.Failed;
    }
}

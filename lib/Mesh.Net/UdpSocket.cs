using System.Net;
using System.Runtime.CompilerServices;
using Mesh.Net.Loop;
using Mesh.Net.Native;

namespace Mesh.Net;

/// <summary>How to open a UDP socket.</summary>
public sealed record UdpOptions
{
    /// <summary>Own address and port (0: any free one).</summary>
    public required IPEndPoint EndPoint { get; init; }

    /// <summary>The only peer: datagrams of others are not received, and its ICMP errors come back as failures.</summary>
    public IPEndPoint? Peer { get; init; }

    /// <summary>SO_MARK, 0 for none.</summary>
    public uint Mark { get; init; }

    /// <summary>SO_REUSEPORT.</summary>
    public bool ReusePort { get; init; }

    /// <summary>Where the socket is made; null: where the loop's thread lives.</summary>
    public NetworkNamespace? NetworkNamespace { get; init; }
}

/// <summary>A received datagram.</summary>
/// <param name="Status">Done; EndOfStream: the socket was closed here; Failed: see <see cref="UdpSocket.LastError"/>, the socket stays usable.</param>
/// <param name="Count">Bytes in the caller's buffer.</param>
/// <param name="Source">Who sent it; IPv4-mapped addresses are unmapped.</param>
/// <param name="Truncated">The buffer was too small and the rest is lost.</param>
public readonly record struct UdpDatagram(IoStatus Status, int Count, IPEndPoint? Source, bool Truncated);

/// <summary>UDP on a loop.</summary>
public sealed class UdpSocket : LoopDescriptor
{
    private readonly bool _v6;

    private UdpSocket(EventLoop loop, int descriptor, bool v6)
        : base(loop, descriptor)
    {
        _v6 = v6;
        LocalEndPoint = SocketFactory.LocalAddress(descriptor).ToEndPoint();
    }

    /// <summary>The bound address, with the port the kernel chose for 0.</summary>
    public IPEndPoint LocalEndPoint { get; }

    /// <summary><c>errno</c> of the last failure.</summary>
    public int LastError { get; private set; }

    /// <summary>Opens the socket. Throws <see cref="SocketFailureException"/>.</summary>
    public static UdpSocket Open(EventLoop loop, UdpOptions o)
    {
        ArgumentNullException.ThrowIfNull(loop);
        ArgumentNullException.ThrowIfNull(o);
        loop.EnsureInLoop();
        var family = SocketFactory.FamilyOf(o.EndPoint.Address);
        var fd = SocketFactory.Create(loop, o.NetworkNamespace, family, Libc.SOCK_DGRAM);
        var step = Prepare(fd, family, o);
        if (step is null)
            return new UdpSocket(loop, fd, family == Libc.AF_INET6);
        var error = Errno.Last;
        if (fd >= 0)
            _ = Libc.close(fd);
        throw new SocketFailureException(error, step, o.Peer ?? o.EndPoint);
    }

    /// <summary>Waits for one datagram. One wait at a time; resumes on the loop.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<UdpDatagram> ReceiveAsync(Memory<byte> buffer)
    {
        while (true)
        {
            var datagram = TryReceive(buffer.Span);
            if (datagram.Status != IoStatus.WouldBlock)
                return datagram;
            if (!await WaitReadableAsync())
                return new UdpDatagram(IoStatus.EndOfStream, 0, null, false);
        }
    }

    /// <summary>Takes one datagram if there is one.</summary>
    public unsafe UdpDatagram TryReceive(Span<byte> buffer)
    {
        if (!Readable)
            return new UdpDatagram(IsClosed ? IoStatus.EndOfStream : IoStatus.WouldBlock, 0, null, false);
        NativeAddress source = default;
        uint length = NativeAddress.Capacity;
        nint received;
        fixed (byte* p = buffer)
            received = Libc.recvfrom(Descriptor, p, (nuint)buffer.Length, Libc.MSG_TRUNC, &source, &length);
        if (received >= 0)
            return new UdpDatagram(IoStatus.Done, (int)Math.Min(received, buffer.Length), source.ToEndPoint(), received > buffer.Length);
        if (Errno.Last == Errno.EAGAIN)
        {
            Readable = false;
            return new UdpDatagram(IoStatus.WouldBlock, 0, null, false);
        }

        LastError = Errno.Last;
        return new UdpDatagram(IoStatus.Failed, 0, null, false);
    }

    /// <summary>Sends one datagram to <paramref name="destination"/> (null: the peer of the options).</summary>
    public unsafe IoStatus TrySend(ReadOnlySpan<byte> datagram, IPEndPoint? destination = null)
    {
        if (IsClosed)
            return IoStatus.EndOfStream;
        nint sent;
        fixed (byte* p = datagram)
        {
            if (destination is null)
            {
                sent = Libc.send(Descriptor, p, (nuint)datagram.Length, Libc.MSG_NOSIGNAL);
            }
            else
            {
                var address = NativeAddress.From(destination, _v6);
                sent = Libc.sendto(Descriptor, p, (nuint)datagram.Length, Libc.MSG_NOSIGNAL, &address, address.Length);
            }
        }

        if (sent >= 0)
            return IoStatus.Done;
        if (Errno.Last == Errno.EAGAIN)
        {
            Writable = false;
            return IoStatus.WouldBlock;
        }

        LastError = Errno.Last;
        return IoStatus.Failed;
    }

    /// <inheritdoc/>
    public override string ToString() => $"UDP socket {LocalEndPoint}";

    private static unsafe string? Prepare(int fd, int family, UdpOptions o)
    {
        if (fd < 0)
            return "create a UDP socket";
        if (o.ReusePort && !Libc.TrySetOption(fd, Libc.SOL_SOCKET, Libc.SO_REUSEPORT, 1))
            return "share the port (SO_REUSEPORT)";
        if (family == Libc.AF_INET6)
            Libc.TrySetOption(fd, Libc.SOL_IPV6, Libc.IPV6_V6ONLY, 0);
        if (!SocketFactory.SetMark(fd, o.Mark))
            return "mark the UDP socket (SO_MARK)";
        if (!SocketFactory.Bind(fd, o.EndPoint, family == Libc.AF_INET6))
            return "bind";
        if (o.Peer is null)
            return null;
        var peer = NativeAddress.From(o.Peer, family == Libc.AF_INET6);
        return Libc.connect(fd, &peer, peer.Length) < 0 ? "connect the UDP socket" : null;
    }
}

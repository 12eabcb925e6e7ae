using System.Runtime.InteropServices;
using Mesh.Net.Native;
using Microsoft.Win32.SafeHandles;

namespace Mesh.Net;

/// <summary>A received datagram. The caller owns the descriptors.</summary>
/// <param name="Status">Done; EndOfStream: the peer has closed; Failed: see <see cref="UnixSeqpacketSocket.LastError"/>.</param>
/// <param name="Count">Bytes in the caller's buffer.</param>
/// <param name="Descriptors">Passed descriptors, close-on-exec.</param>
/// <param name="IsTruncated">The datagram or its descriptors did not fit (MSG_TRUNC, MSG_CTRUNC): the message must not be trusted.</param>
public readonly record struct SeqpacketMessage(IoStatus Status, int Count, IReadOnlyList<SafeFileHandle> Descriptors, bool IsTruncated)
{
    /// <summary>Closes the descriptors: for messages that should not have carried any.</summary>
    public void CloseDescriptors()
    {
        foreach (var handle in Descriptors)
            handle.Dispose();
    }
}

/// <summary>The other process of a Unix socket, as the kernel knows it (SO_PEERCRED).</summary>
public readonly record struct PeerCredentials(int ProcessId, uint UserId, uint GroupId);

/// <summary>AF_UNIX SOCK_SEQPACKET on a loop: whole datagrams in order, with descriptors (SCM_RIGHTS).</summary>
public sealed class UnixSeqpacketSocket : LoopDescriptor
{
    /// <summary>More than any message here carries, so that surplus ones are received, seen and closed.</summary>
    private const int MaxDescriptors = 8;

    private const int HeaderSize = 16; // sizeof(struct cmsghdr) on 64-bit Linux

    internal UnixSeqpacketSocket(EventLoop loop, int descriptor)
        : base(loop, descriptor)
    {
    }

    /// <summary><c>errno</c> of the last failure.</summary>
    public int LastError { get; private set; }

    /// <summary>Text of <see cref="LastError"/>.</summary>
    public string LastErrorText => Errno.Text(LastError);

    /// <summary>Connects to a listening socket. Throws <see cref="SocketFailureException"/>.</summary>
    public static unsafe UnixSeqpacketSocket Connect(EventLoop loop, string path)
    {
        ArgumentNullException.ThrowIfNull(loop);
        loop.EnsureInLoop();
        var fd = Create();
        var address = stackalloc byte[UnixAddress.Capacity];
        if (Libc.connect(fd, address, UnixAddress.Fill(new Span<byte>(address, UnixAddress.Capacity), path)) >= 0)
            return new UnixSeqpacketSocket(loop, fd);
        var error = Errno.Last;
        _ = Libc.close(fd);
        throw new SocketFailureException(error, "connect to the Unix socket", path);
    }

    /// <summary>Sends one datagram with descriptors, waiting while the peer's queue is full. False: see <see cref="LastError"/>.</summary>
    public async ValueTask<bool> SendAsync(ReadOnlyMemory<byte> datagram, params SafeHandle[] descriptors)
    {
        ArgumentNullException.ThrowIfNull(descriptors);
        while (true)
        {
            switch (TrySend(datagram.Span, descriptors))
            {
                case IoStatus.Done:
                    return true;
                case IoStatus.WouldBlock when await WaitWritableAsync():
                    continue;
                default:
                    return false;
            }
        }
    }

    /// <summary>Waits for one datagram. One wait at a time; resumes on the loop.</summary>
    public async ValueTask<SeqpacketMessage> ReceiveAsync(Memory<byte> buffer)
    {
        while (true)
        {
            var message = TryReceive(buffer.Span);
            if (message.Status != IoStatus.WouldBlock)
                return message;
            if (!await WaitReadableAsync())
                return new SeqpacketMessage(IoStatus.EndOfStream, 0, [], false);
        }
    }

    /// <summary>Who is at the other end.</summary>
    public unsafe PeerCredentials GetPeerCredentials()
    {
        var values = stackalloc int[3];
        uint length = 3 * sizeof(int);
        SocketFailureException.ThrowIfNegative(Libc.getsockopt(Descriptor, Libc.SOL_SOCKET, Libc.SO_PEERCRED, values, &length), "ask who is at the other end of a Unix socket", null);
        return new PeerCredentials(values[0], (uint)values[1], (uint)values[2]);
    }

    internal static int Create()
    {
        var fd = Libc.socket(Libc.AF_UNIX, Libc.SOCK_SEQPACKET | Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC, 0);
        SocketFailureException.ThrowIfNegative(fd, "create a Unix socket", null);
        return fd;
    }

    private unsafe IoStatus TrySend(ReadOnlySpan<byte> datagram, SafeHandle[] descriptors)
    {
        if (!Writable)
            return IsClosed ? IoStatus.EndOfStream : IoStatus.WouldBlock;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(descriptors.Length, MaxDescriptors);
        var control = stackalloc byte[HeaderSize + (MaxDescriptors * sizeof(int))];
        fixed (byte* p = datagram)
        {
            var vector = new Libc.IoVector { Base = p, Length = (nuint)datagram.Length };
            var message = new Libc.MessageHeader { Vectors = &vector, VectorCount = 1 };
            if (descriptors.Length > 0)
            {
                var length = HeaderSize + (descriptors.Length * sizeof(int));
                *(Libc.ControlHeader*)control = new Libc.ControlHeader { Length = (nuint)length, Level = Libc.SOL_SOCKET, Type = Libc.SCM_RIGHTS };
                for (var i = 0; i < descriptors.Length; i++)
                    ((int*)(control + HeaderSize))[i] = (int)descriptors[i].DangerousGetHandle();
                message.Control = control;
                message.ControlLength = (nuint)((length + 7) & ~7);
            }

            if (Libc.sendmsg(Descriptor, &message, Libc.MSG_NOSIGNAL) >= 0)
            {
                GC.KeepAlive(descriptors);
                return IoStatus.Done;
            }
        }

        if (Errno.Last != Errno.EAGAIN)
        {
            LastError = Errno.Last;
            return IoStatus.Failed;
        }

        Writable = false;
        return IoStatus.WouldBlock;
    }

    private unsafe SeqpacketMessage TryReceive(Span<byte> buffer)
    {
        if (!Readable)
            return new SeqpacketMessage(IsClosed ? IoStatus.EndOfStream : IoStatus.WouldBlock, 0, [], false);
        const int ControlSize = HeaderSize + (MaxDescriptors * sizeof(int));
        var control = stackalloc byte[ControlSize];
        fixed (byte* p = buffer)
        {
            var vector = new Libc.IoVector { Base = p, Length = (nuint)buffer.Length };
            var message = new Libc.MessageHeader { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = ControlSize };
            var received = Libc.recvmsg(Descriptor, &message, Libc.MSG_CMSG_CLOEXEC);
            if (received < 0)
            {
                if (Errno.Last == Errno.EAGAIN)
                {
                    Readable = false;
                    return new SeqpacketMessage(IoStatus.WouldBlock, 0, [], false);
                }

                LastError = Errno.Last;
                return new SeqpacketMessage(IoStatus.Failed, 0, [], false);
            }

            var handles = TakeDescriptors(control, message.ControlLength);
            var truncated = (message.Flags & (Libc.MSG_TRUNC | Libc.MSG_CTRUNC)) != 0;
            var status = received == 0 && handles.Count == 0 ? IoStatus.EndOfStream : IoStatus.Done;
            return new SeqpacketMessage(status, (int)received, handles, truncated);
        }
    }

    private static unsafe IReadOnlyList<SafeFileHandle> TakeDescriptors(byte* control, nuint length)
    {
        if (length < HeaderSize)
            return [];
        var header = (Libc.ControlHeader*)control;
        if (header->Level != Libc.SOL_SOCKET || header->Type != Libc.SCM_RIGHTS)
            return [];
        var count = ((int)header->Length - HeaderSize) / sizeof(int);
        var handles = new SafeFileHandle[count];
        for (var i = 0; i < count; i++)
            handles[i] = new SafeFileHandle(((int*)(control + HeaderSize))[i], ownsHandle: true);
        return handles;
    }
}

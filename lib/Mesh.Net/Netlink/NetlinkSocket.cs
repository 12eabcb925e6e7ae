using Mesh.Net.Native;

namespace Mesh.Net.Netlink;

/// <summary>Questions to the kernel about routing, one at a time, in the network namespace in which it was opened.</summary>
/// <remarks>
/// The kernel works inside <c>send</c> and <c>recv</c>, and the answer is there when they return: the descriptor never waits, and an answer that
/// is not there will not come.
/// </remarks>
internal sealed unsafe class NetlinkSocket : IDisposable
{
    /// <summary>The kernel never makes larger datagrams for a dump (netlink_dump: SKB_WITH_OVERHEAD(32768)).</summary>
    private const int BufferSize = 32 * 1024;

    /// <summary>Rules and routes of a pod change rarely; who changes them without end is an error to be told.</summary>
    private const int DumpAttempts = 10;

    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(BufferSize);
    private readonly int _fd;
    private uint _sequence;

    private NetlinkSocket(int fd) => _fd = fd;

    /// <summary>Opens it in the calling thread's namespace.</summary>
    internal static NetlinkSocket Open()
    {
        var fd = Libc.socket(Libc.AF_NETLINK, Libc.SOCK_RAW | Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC, Libc.NETLINK_ROUTE);
        SocketFailureException.ThrowIfNegative(fd, "create a netlink socket", null);
        // Reasons in words where the kernel has them (since 4.12), and without the request that they are about.
        _ = Libc.TrySetOption(fd, Libc.SOL_NETLINK, Libc.NETLINK_EXT_ACK, 1);
        _ = Libc.TrySetOption(fd, Libc.SOL_NETLINK, Libc.NETLINK_CAP_ACK, 1);
        return new NetlinkSocket(fd);
    }

    /// <summary>All objects of a kind that the kernel has. Throws <see cref="NetlinkFailureException"/>.</summary>
    internal IReadOnlyList<NetlinkMessage> Dump(ushort type, string what)
    {
        for (var attempt = 0; attempt < DumpAttempts; attempt++)
        {
            var answer = Exchange(new NetlinkRequest(type, Rtnetlink.NLM_F_DUMP));
            if (answer.Error != 0)
                throw new NetlinkFailureException(answer.Error, what, answer.Words);
            if (!answer.WasInterrupted)
                return answer.Messages;
        }
        throw new NetlinkFailureException(Errno.EAGAIN, what, "they changed each time while they were read");
    }

    /// <summary>One request and all of the answer to it. What the kernel refuses is a value.</summary>
    internal NetlinkAnswer Exchange(NetlinkRequest request)
    {
        var message = request.Numbered(++_sequence);
        var answer = new NetlinkAnswer(_sequence);
        fixed (byte* p = message)
        {
            while (Libc.send(_fd, p, (nuint)message.Length, 0) < 0)
            {
                if (Errno.Last != Errno.EINTR)
                    throw new NetlinkFailureException(Errno.Last, "send a netlink request", null);
            }
        }
        while (!Receive(answer))
        {
        }
        return answer;
    }

    public void Dispose() => _ = Libc.close(_fd);

    private bool Receive(NetlinkAnswer answer)
    {
        var sender = stackalloc uint[3]; // struct sockaddr_nl: family and padding, port, groups
        uint senderLength = 3 * sizeof(uint);
        nint count;
        fixed (byte* p = _buffer)
            count = Libc.recvfrom(_fd, p, BufferSize, Libc.MSG_TRUNC, sender, &senderLength);
        if (count < 0)
        {
            return Errno.Last == Errno.EINTR
                ? false
                : throw new NetlinkFailureException(Errno.Last, "receive the answer to a netlink request", Errno.Last == Errno.EAGAIN ? "the kernel has not answered, or not wholly" : null);
        }
        // The kernel is port 0: what other processes send here is no answer.
        if (sender[1] != 0)
            return false;
        if (count <= BufferSize)
            return answer.Take(_buffer.AsSpan(0, (int)count));
        answer.TakeCut(count);
        return true;
    }
}

using System.Runtime.InteropServices;
using System.Text;
using Mesh.Net.Native;

namespace Mesh.Net.Netlink;

/// <summary>A message of a dump: its type, and its fixed part with the attributes.</summary>
internal readonly record struct NetlinkMessage(ushort Type, byte[] Body);

/// <summary>The kernel's answer to one request, put together from datagrams that hold any number of messages. No socket: bytes in.</summary>
/// <param name="sequence">That of the request; what belongs to another one is passed over.</param>
internal sealed class NetlinkAnswer(uint sequence)
{
    private readonly List<NetlinkMessage> _messages = [];

    internal IReadOnlyList<NetlinkMessage> Messages => _messages;

    /// <summary>0: what was asked for was done, or all was told.</summary>
    internal int Error { get; private set; }

    /// <summary>The kernel's own words about the error, or ours about an answer that cannot be read.</summary>
    internal string? Words { get; private set; }

    /// <summary>Something changed during the dump: it may hold a thing twice or not at all.</summary>
    internal bool WasInterrupted { get; private set; }

    /// <returns>Whether the answer is whole.</returns>
    internal bool Take(ReadOnlySpan<byte> datagram)
    {
        while (!datagram.IsEmpty)
        {
            if (datagram.Length < Rtnetlink.MessageHeaderSize)
                return Unreadable($"{datagram.Length} bytes are left where a message should be");
            var length = MemoryMarshal.Read<uint>(datagram);
            if (length < Rtnetlink.MessageHeaderSize || length > datagram.Length)
                return Unreadable($"a message says that it has {length} bytes, and {datagram.Length} are there");
            if (MemoryMarshal.Read<uint>(datagram[8..]) == sequence && TakeMessage(datagram[..(int)length]))
                return true;
            datagram = datagram[Math.Min(Rtnetlink.Align((int)length), datagram.Length)..];
        }
        return false;
    }

    /// <summary>The datagram was longer than the buffer.</summary>
    internal void TakeCut(long length) => Unreadable($"a datagram has {length} bytes");

    private bool TakeMessage(ReadOnlySpan<byte> message)
    {
        var type = MemoryMarshal.Read<ushort>(message[4..]);
        var flags = MemoryMarshal.Read<ushort>(message[6..]);
        var body = message[Rtnetlink.MessageHeaderSize..];
        switch (type)
        {
            case Rtnetlink.NLMSG_NOOP:
                return false;
            case Rtnetlink.NLMSG_OVERRUN:
                Error = Errno.ENOBUFS;
                return true;
            case Rtnetlink.NLMSG_ERROR:
                return TakeResult(body, flags, isDone: false);
            case Rtnetlink.NLMSG_DONE:
                WasInterrupted |= (flags & Rtnetlink.NLM_F_DUMP_INTR) != 0;
                // Old kernels end a dump without a result.
                return body.Length < sizeof(int) || TakeResult(body, flags, isDone: true);
            case >= Rtnetlink.NLMSG_MIN_TYPE:
                WasInterrupted |= (flags & Rtnetlink.NLM_F_DUMP_INTR) != 0;
                _messages.Add(new NetlinkMessage(type, body.ToArray()));
                return false;
            default:
                return Unreadable($"a control message has the unknown type {type}");
        }
    }

    private bool TakeResult(ReadOnlySpan<byte> body, ushort flags, bool isDone)
    {
        var size = isDone ? sizeof(int) : sizeof(int) + Rtnetlink.MessageHeaderSize;
        if (body.Length < size)
            return Unreadable($"a result has {body.Length} bytes");
        var result = MemoryMarshal.Read<int>(body);
        // Success is zero; a dump's end may tell how much it was.
        if (result > 0 && !isDone || result == int.MinValue)
            return Unreadable($"a result is {result}");
        Error = Math.Max(0, -result);
        if ((flags & Rtnetlink.NLM_F_ACK_TLVS) != 0)
            Words = WordsOf(body, size, isWhole: !isDone && Error != 0 && (flags & Rtnetlink.NLM_F_CAPPED) == 0);
        return true;
    }

    /// <param name="body">Of the result.</param>
    /// <param name="offset">Where the attributes start, or, where the request is repeated whole, the rest of that.</param>
    private static string? WordsOf(ReadOnlySpan<byte> body, int offset, bool isWhole)
    {
        if (isWhole)
        {
            var request = MemoryMarshal.Read<uint>(body[sizeof(int)..]);
            if (request < Rtnetlink.MessageHeaderSize || request > body.Length - sizeof(int))
                return null;
            offset = Math.Min(sizeof(int) + Rtnetlink.Align((int)request), body.Length);
        }
        var attributes = new NetlinkAttributes(body[offset..]);
        while (attributes.MoveNext())
        {
            if (attributes.Type == Rtnetlink.NLMSGERR_ATTR_MSG)
                return Encoding.UTF8.GetString(attributes.Value.TrimEnd((byte)0));
        }
        return null;
    }

    private bool Unreadable(string why)
    {
        Error = Errno.EBADMSG;
        Words = why;
        return true;
    }
}

using System.Runtime.InteropServices;
using System.Text;
using Mesh.Net.Native;
using Mesh.Net.Netlink;

namespace Mesh.Net.Tests.Netlink;

/// <summary>Answers as the kernel makes them, and as it should not.</summary>
public sealed class NetlinkAnswerTests
{
    private const uint Ours = 7;

    [Fact]
    public void Dump_InSeveralDatagrams_EndsWithItsEnd()
    {
        var answer = new NetlinkAnswer(Ours);
        Assert.False(answer.Take([.. Message(Rtnetlink.RTM_NEWRULE, [1, 2, 3], Rtnetlink.NLM_F_MULTI), .. Message(Rtnetlink.RTM_NEWRULE, [4], Rtnetlink.NLM_F_MULTI)]));
        Assert.False(answer.Take([.. Message(Rtnetlink.NLMSG_NOOP, []), .. Message(Rtnetlink.RTM_NEWROUTE, [5, 6], Rtnetlink.NLM_F_MULTI)]));
        Assert.True(answer.Take(Message(Rtnetlink.NLMSG_DONE, [0, 0, 0, 0], Rtnetlink.NLM_F_MULTI)));
        Assert.Equal(0, answer.Error);
        Assert.False(answer.WasInterrupted);
        Assert.Equal([(Rtnetlink.RTM_NEWRULE, "010203"), (Rtnetlink.RTM_NEWRULE, "04"), (Rtnetlink.RTM_NEWROUTE, "0506")], answer.Messages.Select(m => (m.Type, Convert.ToHexString(m.Body))));
    }

    [Fact]
    public void MessagesOfAnotherRequest_ArePassedOver()
    {
        var answer = new NetlinkAnswer(Ours);
        Assert.False(answer.Take([.. Message(Rtnetlink.RTM_NEWRULE, [1], sequence: Ours - 1), .. Message(Rtnetlink.NLMSG_DONE, [0, 0, 0, 0], sequence: Ours - 1), .. Result(-1, sequence: Ours + 1)]));
        Assert.Empty(answer.Messages);
        Assert.True(answer.Take(Result(0)));
        Assert.Equal(0, answer.Error);
    }

    [Theory]
    [InlineData(Rtnetlink.RTM_NEWRULE)]
    [InlineData(Rtnetlink.NLMSG_DONE)]
    public void Dump_DuringWhichSomethingChanged_SaysSo(ushort where)
    {
        var answer = new NetlinkAnswer(Ours);
        answer.Take(Message(Rtnetlink.RTM_NEWRULE, [1], where == Rtnetlink.RTM_NEWRULE ? Rtnetlink.NLM_F_DUMP_INTR : (ushort)0));
        Assert.True(answer.Take(Message(Rtnetlink.NLMSG_DONE, [0, 0, 0, 0], where == Rtnetlink.NLMSG_DONE ? Rtnetlink.NLM_F_DUMP_INTR : (ushort)0)));
        Assert.True(answer.WasInterrupted);
    }

    [Fact]
    public void Errors_AreTheKernelsNumber_WithItsWordsWhereItHasThem()
    {
        var plain = new NetlinkAnswer(Ours);
        Assert.True(plain.Take(Result(-17)));
        Assert.Equal((17, null), (plain.Error, plain.Words));

        byte[] words = [.. Bytes((ushort)12), .. Bytes(Rtnetlink.NLMSGERR_ATTR_MSG), .. Encoding.UTF8.GetBytes("is off"), 0, 0];
        var capped = new NetlinkAnswer(Ours);
        Assert.True(capped.Take(Result(-13, Rtnetlink.NLM_F_ACK_TLVS | Rtnetlink.NLM_F_CAPPED, words, requestBody: 12)));
        Assert.Equal((13, "is off"), (capped.Error, capped.Words));

        // The request is repeated: five bytes, filled up to eight.
        var whole = new NetlinkAnswer(Ours);
        Assert.True(whole.Take(Result(-13, Rtnetlink.NLM_F_ACK_TLVS, [1, 2, 3, 4, 5, 0, 0, 0, .. words], requestBody: 5)));
        Assert.Equal((13, "is off"), (whole.Error, whole.Words));

        var dump = new NetlinkAnswer(Ours);
        Assert.True(dump.Take(Message(Rtnetlink.NLMSG_DONE, [.. Bytes(-95), .. words], Rtnetlink.NLM_F_ACK_TLVS)));
        Assert.Equal((95, "is off"), (dump.Error, dump.Words));

        var lost = new NetlinkAnswer(Ours);
        Assert.True(lost.Take(Message(Rtnetlink.NLMSG_OVERRUN, [])));
        Assert.Equal(Errno.ENOBUFS, lost.Error);
    }

    [Theory]
    [InlineData("0100")] // not even a header
    [InlineData("0f000000180000000700000000000000")] // shorter than its header
    [InlineData("ffffffff180000000700000000000000")] // longer than all
    [InlineData("11000000180000000700000000000000")] // one byte longer than what is there
    [InlineData("140000000200000007000000000000000100")] // a result that is cut off
    [InlineData("12000000020000000700000000000000ffff")] // a result without room for one
    [InlineData("2400000002000000070000000000000005000000" + "0000000000000000" + "0000000000000000")] // a result above zero
    [InlineData("2400000002000000070000000000000000000080" + "0000000000000000" + "0000000000000000")] // one without an opposite
    [InlineData("10000000050000000700000000000000")] // a control message that nobody knows
    public void WhatCannotBeRead_EndsTheAnswer_AndIsAnError(string datagram)
    {
        var answer = new NetlinkAnswer(Ours);
        Assert.True(answer.Take(Convert.FromHexString(datagram)));
        Assert.Equal(Errno.EBADMSG, answer.Error);
        Assert.NotNull(answer.Words);
    }

    /// <summary>Wherever a datagram is cut, and whichever byte of it is another one: never an exception, and no message that was not whole.</summary>
    [Fact]
    public void AnyDamage_IsAValue()
    {
        byte[] rule = [Libc.AF_INET, 0, 0, 0, 100, 0, 0, 1, 0, 0, 0, 0, .. Bytes((ushort)8), .. Bytes(Rtnetlink.FRA_PRIORITY), .. Bytes(32764), .. Bytes((ushort)6), .. Bytes(Rtnetlink.FRA_PROTOCOL), 9, 9, 0, 0];
        byte[] whole = [.. Message(Rtnetlink.RTM_NEWRULE, rule), .. Result(-13, Rtnetlink.NLM_F_ACK_TLVS, [8, 0, 1, 0, 65, 66, 67, 0], requestBody: 0)];
        for (var length = 0; length <= whole.Length; length++)
            Read(whole.AsSpan(0, length));
        for (var at = 0; at < whole.Length; at++)
        {
            for (var value = 0; value < 256; value++)
            {
                var damaged = whole.ToArray();
                damaged[at] = (byte)value;
                Read(damaged);
            }
        }

        static void Read(ReadOnlySpan<byte> datagram)
        {
            var answer = new NetlinkAnswer(Ours);
            answer.Take(datagram);
            foreach (var message in answer.Messages)
            {
                Assert.True(message.Body.Length <= datagram.Length);
                for (var length = 0; length <= message.Body.Length; length++)
                {
                    RoutingText.OfRule(message.Body.AsSpan(0, length));
                    RoutingText.OfRoute(message.Body.AsSpan(0, length));
                }
            }
        }
    }

    [Fact]
    public void CachedCopiesOfRoutes_AreNoRoutes()
    {
        byte[] route = [Libc.AF_INET6, 0, 0, 0, 100, 0, 0, Rtnetlink.RTN_LOCAL, 0, 0, 0, 0];
        Assert.NotEmpty(RoutingText.OfRoute(route));
        route[9] = 2; // RTM_F_CLONED
        Assert.Empty(RoutingText.OfRoute(route));
    }

    [Theory]
    [InlineData(0, true, true)] // family: IPv4 and IPv6
    [InlineData(1, true, true)] // length of the destination
    [InlineData(2, true, true)] // of the source
    [InlineData(3, true, true)] // type of service
    [InlineData(5, false, false)] // protocol: who wrote a route
    [InlineData(6, false, true)] // scope
    [InlineData(7, true, true)] // action, type
    [InlineData(8, true, false)] // flags: "not" of a rule, the state of a route
    public void FixedPart_CountsWhereItHasAnEffect(int at, bool ofRule, bool ofRoute)
    {
        byte[] one = [Libc.AF_INET, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0];
        var other = one.ToArray();
        other[at] = Libc.AF_INET6;
        Assert.Equal(ofRule, RoutingText.OfRule(one) != RoutingText.OfRule(other));
        Assert.Equal(ofRoute, RoutingText.OfRoute(one) != RoutingText.OfRoute(other));
    }

    private static byte[] Message(ushort type, ReadOnlySpan<byte> body, ushort flags = 0, uint sequence = Ours)
    {
        byte[] message = [.. Bytes(Rtnetlink.MessageHeaderSize + body.Length), .. Bytes(type), .. Bytes(flags), .. Bytes(sequence), 0, 0, 0, 0, .. body];
        Array.Resize(ref message, Rtnetlink.Align(message.Length));
        return message;
    }

    private static byte[] Result(int result, ushort flags = 0, byte[]? rest = null, int requestBody = 0, uint sequence = Ours) => Message(Rtnetlink.NLMSG_ERROR,
        [.. Bytes(result), .. Bytes(Rtnetlink.MessageHeaderSize + requestBody), .. new byte[12], .. rest ?? []], flags, sequence);

    private static byte[] Bytes<T>(T value)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();
}

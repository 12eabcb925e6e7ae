namespace Mesh.Net.Netlink;

/// <summary>Numbers of <c>linux/netlink.h</c>, <c>linux/rtnetlink.h</c> and <c>linux/fib_rules.h</c>, by their names there.</summary>
internal static class Rtnetlink
{
    internal const ushort NLMSG_NOOP = 1;
    internal const ushort NLMSG_ERROR = 2;
    internal const ushort NLMSG_DONE = 3;
    internal const ushort NLMSG_OVERRUN = 4;
    internal const ushort NLMSG_MIN_TYPE = 0x10;

    internal const ushort RTM_NEWROUTE = 24;
    internal const ushort RTM_DELROUTE = 25;
    internal const ushort RTM_GETROUTE = 26;
    internal const ushort RTM_NEWRULE = 32;
    internal const ushort RTM_DELRULE = 33;
    internal const ushort RTM_GETRULE = 34;

    internal const ushort NLM_F_REQUEST = 0x1;
    internal const ushort NLM_F_MULTI = 0x2;
    internal const ushort NLM_F_ACK = 0x4;
    internal const ushort NLM_F_DUMP_INTR = 0x10;
    internal const ushort NLM_F_DUMP = 0x300;
    internal const ushort NLM_F_REPLACE = 0x100;
    internal const ushort NLM_F_EXCL = 0x200;
    internal const ushort NLM_F_CREATE = 0x400;
    internal const ushort NLM_F_CAPPED = 0x100;
    internal const ushort NLM_F_ACK_TLVS = 0x200;
    internal const ushort NLMSGERR_ATTR_MSG = 1;

    /// <summary>sizeof(struct nlmsghdr).</summary>
    internal const int MessageHeaderSize = 16;

    /// <summary>sizeof(struct nlattr).</summary>
    internal const int AttributeHeaderSize = 4;

    /// <summary>sizeof(struct rtmsg) and sizeof(struct fib_rule_hdr), which agree in their first five fields.</summary>
    internal const int BodyHeaderSize = 12;

    internal const ushort FRA_PRIORITY = 6;
    internal const ushort FRA_FWMARK = 10;
    internal const ushort FRA_SUPPRESS_PREFIXLEN = 14;
    internal const ushort FRA_TABLE = 15;
    internal const ushort FRA_FWMASK = 16;
    internal const ushort FRA_PAD = 18;
    internal const ushort FRA_PROTOCOL = 21;
    internal const byte FR_ACT_TO_TBL = 1;

    internal const ushort RTA_OIF = 4;
    internal const ushort RTA_PRIORITY = 6;
    internal const ushort RTA_CACHEINFO = 12;
    internal const ushort RTA_TABLE = 15;
    internal const ushort RTA_PAD = 24;
    internal const byte RTN_LOCAL = 2;
    internal const byte RTPROT_UNSPEC = 0;
    internal const byte RTPROT_BOOT = 3;
    internal const byte RT_SCOPE_HOST = 254;
    internal const byte RT_SCOPE_NOWHERE = 255;
    internal const uint RTM_F_CLONED = 0x200;

    /// <summary>The loopback interface is the first of every namespace; the kernel relies on this number itself (LOOPBACK_IFINDEX of <c>net/flow.h</c>).</summary>
    internal const uint LOOPBACK_IFINDEX = 1;

    /// <summary>Messages and attributes start at multiples of four.</summary>
    internal static int Align(int length) => (length + 3) & ~3;
}

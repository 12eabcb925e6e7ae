using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Mesh.Net.Native;

namespace Mesh.Net.Netlink;

/// <summary>Rules and routes as text that is equal exactly where they do the same. Whoever wrote them, and what they were used for since, is left out.</summary>
internal static class RoutingText
{
    /// <summary>Empty where the message is none.</summary>
    internal static string OfRule(ReadOnlySpan<byte> body)
    {
        if (body.Length < Rtnetlink.BodyHeaderSize)
            return string.Empty;
        var text = Start("rule", body).Append(CultureInfo.InvariantCulture, $" action {body[7]}");
        return Finish(text, body, (type, number) => type is Rtnetlink.FRA_PROTOCOL or Rtnetlink.FRA_PAD
            || (type == Rtnetlink.FRA_SUPPRESS_PREFIXLEN && number == uint.MaxValue), Rtnetlink.FRA_TABLE, MemoryMarshal.Read<uint>(body[8..]));
    }

    /// <summary>Empty where the message is none, or a copy that the kernel made for one destination.</summary>
    internal static string OfRoute(ReadOnlySpan<byte> body)
    {
        if (body.Length < Rtnetlink.BodyHeaderSize || (MemoryMarshal.Read<uint>(body[8..]) & Rtnetlink.RTM_F_CLONED) != 0)
            return string.Empty;
        // The flags of a route are its state (dead, offloaded), not what was asked for.
        var text = Start("route", body).Append(CultureInfo.InvariantCulture, $" type {body[7]} scope {body[6]}");
        return Finish(text, body, (type, _) => type is Rtnetlink.RTA_CACHEINFO or Rtnetlink.RTA_PAD, Rtnetlink.RTA_TABLE, flags: 0);
    }

    /// <summary>The attribute counts, where there is none the byte that old kernels had.</summary>
    internal static uint TableOf(ReadOnlySpan<byte> body, ushort attribute) => NetlinkAttributes.Find(body[Rtnetlink.BodyHeaderSize..], attribute) ?? body[4];

    private static StringBuilder Start(string kind, ReadOnlySpan<byte> body) => new StringBuilder(kind).Append(CultureInfo.InvariantCulture,
        $" {(body[0] == Libc.AF_INET6 ? "IPv6" : "IPv4")} to /{body[1]} from /{body[2]} tos {body[3]}");

    private static string Finish(StringBuilder text, ReadOnlySpan<byte> body, Func<ushort, uint?, bool> isNoise, ushort table, uint flags)
    {
        text.Append(CultureInfo.InvariantCulture, $" table {TableOf(body, table)} flags 0x{flags:x}");
        var others = new SortedDictionary<ushort, string>();
        var attributes = new NetlinkAttributes(body[Rtnetlink.BodyHeaderSize..]);
        while (attributes.MoveNext())
        {
            if (attributes.Type != table && !isNoise(attributes.Type, attributes.Number))
                others[attributes.Type] = attributes.Number is { } number ? $"0x{number:x}" : Convert.ToHexString(attributes.Value);
        }
        foreach (var (type, value) in others)
            text.Append(CultureInfo.InvariantCulture, $" {type}={value}");
        return text.ToString();
    }
}

using Mesh.Net.Native;

namespace Mesh.Net.Netlink;

/// <summary>
/// Packets with a mark are for this machine, whatever their destination: a rule leads them to a table, and the table's only route to the loopback
/// interface. Adding what is there, and removing what is not, changes nothing.
/// </summary>
/// <param name="mark">Of the packets, as far as <paramref name="mask"/> goes.</param>
/// <param name="mask">The bits that count.</param>
/// <param name="priority">The rule's place: lower ones are asked first.</param>
/// <param name="table">Held for this purpose alone.</param>
public sealed class PolicyRouting(uint mark, uint mask, uint priority, uint table)
{
    /// <summary>The same thing may stand there more than once, when others wrote it too; more often than this nobody writes it.</summary>
    private const int MostCopies = 64;

    /// <summary>Writes both. IPv6 is left out where the loopback interface has none (net.ipv6.conf.lo.disable_ipv6): no packet could take the route.</summary>
    public void Add(NetworkNamespace network, bool ipv6) => Visit(network, socket =>
    {
        var there = Rules(socket, ipv6).ToHashSet(StringComparer.Ordinal);
        foreach (var family in ipv6 ? (ReadOnlySpan<byte>)[Libc.AF_INET, Libc.AF_INET6] : [Libc.AF_INET])
        {
            // The route first: a rule without it leads nowhere.
            var route = Do(socket, Route(Rtnetlink.RTM_NEWROUTE, Rtnetlink.NLM_F_CREATE | Rtnetlink.NLM_F_REPLACE, family, Rtnetlink.RTPROT_BOOT, Rtnetlink.RT_SCOPE_HOST),
                $"write {RouteName(family)}", network, family == Libc.AF_INET6 ? Errno.EACCES : 0);
            if (route == Errno.EACCES)
                continue;
            // Asked before, because to the kernel a rule that another program signed is another rule.
            var rule = Rule(Rtnetlink.RTM_NEWRULE, Rtnetlink.NLM_F_CREATE | Rtnetlink.NLM_F_EXCL, family);
            if (!there.Contains(RoutingText.OfRule(rule.Body)))
                Do(socket, rule, $"write {RuleName(family)}", network, Errno.EEXIST);
        }
        return true;
    });

    /// <summary>Takes both out, in both families; what is not there is fine.</summary>
    public void Remove(NetworkNamespace network) => Visit(network, socket =>
    {
        foreach (var family in (ReadOnlySpan<byte>)[Libc.AF_INET, Libc.AF_INET6])
        {
            RemoveAll(socket, () => Rule(Rtnetlink.RTM_DELRULE, 0, family), $"remove {RuleName(family)}", network);
            RemoveAll(socket, () => Route(Rtnetlink.RTM_DELROUTE, 0, family, Rtnetlink.RTPROT_UNSPEC, Rtnetlink.RT_SCOPE_NOWHERE), $"remove {RouteName(family)}", network);
        }
        return true;
    });

    /// <summary>What stands at the rule's place and in the table, line by line: equal where it has the same effect, empty where there is nothing.</summary>
    public string Read(NetworkNamespace network, bool ipv6) => Visit(network, socket =>
    {
        var routes = socket.Dump(Rtnetlink.RTM_GETROUTE, "read the routes").Where(m => m.Type == Rtnetlink.RTM_NEWROUTE && IsOf(m.Body, ipv6)
            && RoutingText.TableOf(m.Body, Rtnetlink.RTA_TABLE) == table).Select(m => RoutingText.OfRoute(m.Body));
        return string.Join('\n', Rules(socket, ipv6).Concat(routes).Where(l => l.Length > 0)
            .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
    });

    private IEnumerable<string> Rules(NetlinkSocket socket, bool ipv6) => socket.Dump(Rtnetlink.RTM_GETRULE, "read the routing rules")
        .Where(m => m.Type == Rtnetlink.RTM_NEWRULE && IsOf(m.Body, ipv6) && (NetlinkAttributes.Find(m.Body.AsSpan(Rtnetlink.BodyHeaderSize), Rtnetlink.FRA_PRIORITY) ?? 0) == priority)
        .Select(m => RoutingText.OfRule(m.Body));

    private NetlinkRequest Rule(ushort type, ushort flags, byte family)
    {
        var request = new NetlinkRequest(type, (ushort)(flags | Rtnetlink.NLM_F_ACK));
        request.Header[0] = family;
        request.Header[7] = Rtnetlink.FR_ACT_TO_TBL;
        return request.With(Rtnetlink.FRA_PRIORITY, priority).With(Rtnetlink.FRA_FWMARK, mark).With(Rtnetlink.FRA_FWMASK, mask).With(Rtnetlink.FRA_TABLE, table);
    }

    private NetlinkRequest Route(ushort type, ushort flags, byte family, byte protocol, byte scope)
    {
        var request = new NetlinkRequest(type, (ushort)(flags | Rtnetlink.NLM_F_ACK));
        request.Header[0] = family;
        request.Header[5] = protocol;
        request.Header[6] = scope;
        request.Header[7] = Rtnetlink.RTN_LOCAL;
        return request.With(Rtnetlink.RTA_TABLE, table).With(Rtnetlink.RTA_OIF, Rtnetlink.LOOPBACK_IFINDEX);
    }

    private static void RemoveAll(NetlinkSocket socket, Func<NetlinkRequest> request, string what, NetworkNamespace network)
    {
        for (var copy = 0; copy < MostCopies; copy++)
        {
            // A kernel without the family, or without its rules, has none to remove.
            if (Do(socket, request(), what, network, Errno.ENOENT, Errno.ESRCH, Errno.EAFNOSUPPORT, Errno.EOPNOTSUPP) != 0)
                return;
        }
    }

    /// <returns>0, or the one of <paramref name="fine"/> that the kernel answered.</returns>
    private static int Do(NetlinkSocket socket, NetlinkRequest request, string what, NetworkNamespace network, params ReadOnlySpan<int> fine)
    {
        var answer = socket.Exchange(request);
        return answer.Error == 0 || fine.Contains(answer.Error)
            ? answer.Error
            : throw new NetlinkFailureException(answer.Error, $"{what} in the network namespace {network}", answer.Words);
    }

    /// <summary>On a thread that is inside; a socket belongs to the namespace in which it was made.</summary>
    private static T Visit<T>(NetworkNamespace network, Func<NetlinkSocket, T> work)
    {
        ArgumentNullException.ThrowIfNull(network);
        return network.Run(() =>
        {
            using var socket = NetlinkSocket.Open();
            return work(socket);
        });
    }

    private static bool IsOf(byte[] body, bool ipv6) => body.Length >= Rtnetlink.BodyHeaderSize && (body[0] == Libc.AF_INET || (ipv6 && body[0] == Libc.AF_INET6));

    private string RuleName(byte family) => $"the routing rule 'fwmark 0x{mark:x}/0x{mask:x} pref {priority} lookup {table}' ({FamilyName(family)})";

    private string RouteName(byte family) => $"the route 'local default dev lo table {table}' ({FamilyName(family)})";

    private static string FamilyName(byte family) => family == Libc.AF_INET6 ? "IPv6" : "IPv4";
}

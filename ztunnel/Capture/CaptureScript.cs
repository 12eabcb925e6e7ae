using System.Text;

namespace Mesh.Ztunnel.Capture;

/// <summary>The in-pod rules as text, the same for nftables and iptables: one description, two spellings. Pure.</summary>
/// <remarks>
/// Marks: 0x539 is on every packet that we send ourselves, 0x111 is remembered per connection so that answers to connections which we
/// opened with the client's address come back to us. 169.254.7.127 is the address that the kubelet's probes appear to come from.
/// </remarks>
internal static class CaptureScript
{
    public const string ProbeSource = "169.254.7.127";
    public const string ProbeSourceV6 = "fd16:9254:7127:1337:ffff:ffff:ffff:ffff";

    /// <summary>One transaction: the tables are made if needed, emptied and filled; a second run changes nothing.</summary>
    public static string Nftables(bool dns, bool ipv6, bool inbound = true)
    {
        var script = new StringBuilder();
        Table(script, "istio-ambient-mangle", """
                chain prerouting { type filter hook prerouting priority -150; policy accept; jump istio-prerouting; }
                chain output { type route hook output priority -150; policy accept; jump istio-output; }
                chain istio-prerouting { meta mark & 0xfff == 0x539 ct mark set ct mark & 0xfffff000 | 0x111; }
                chain istio-output { ct mark & 0xfff == 0x111 meta mark set ct mark; }
            """);
        var prerouting = new StringBuilder();
        var output = new StringBuilder();
        foreach (var (family, probe, loopback) in Families(ipv6))
        {
            if (inbound)
            {
                prerouting.Append($"        {family} saddr {probe} meta l4proto tcp accept;\n");
                prerouting.Append($"        {family} daddr != {loopback} tcp dport != 15008 meta mark & 0xfff != 0x539 redirect to :15006;\n");
            }
            output.Append($"        {family} daddr {probe} meta l4proto tcp accept;\n");
        }
        if (dns)
            output.Append("        oifname != \"lo\" udp dport 53 meta mark & 0xfff != 0x539 redirect to :15053;\n");
        foreach (var (family, _, loopback) in Families(ipv6))
        {
            if (dns)
                output.Append($"        {family} daddr != {loopback} tcp dport 53 meta mark & 0xfff != 0x539 redirect to :15053;\n");
        }
        output.Append("        meta l4proto tcp meta mark & 0xfff == 0x111 accept;\n");
        foreach (var (family, _, loopback) in Families(ipv6))
            output.Append($"        {family} daddr != {loopback} oifname \"lo\" accept;\n");
        foreach (var (family, _, loopback) in Families(ipv6))
            output.Append($"        {family} daddr != {loopback} meta l4proto tcp meta mark & 0xfff != 0x539 redirect to :15001;\n");
        Table(script, "istio-ambient-nat", $$"""
                chain prerouting { type nat hook prerouting priority -100; policy accept; jump istio-prerouting; }
                chain output { type nat hook output priority -100; policy accept; jump istio-output; }
                chain istio-prerouting {
            {{prerouting}}    }
                chain istio-output {
            {{output}}    }
            """);
        if (dns)
        {
            // Our own queries and the pod's must not share a conntrack entry: they can have the same addresses and ports.
            Table(script, "istio-ambient-raw", """
                    chain prerouting { type filter hook prerouting priority -300; policy accept; jump istio-prerouting; }
                    chain output { type filter hook output priority -300; policy accept; jump istio-output; }
                    chain istio-prerouting { udp sport 53 meta mark & 0xfff != 0x539 ct zone set 1; }
                    chain istio-output { udp dport 53 meta mark & 0xfff == 0x539 ct zone set 1; }
                """);
        }
        else
        {
            // An agent with another setting may have written it.
            script.Append("add table inet istio-ambient-raw\ndelete table inet istio-ambient-raw\n");
        }
        return script.ToString();
    }

    /// <summary>Of a listing of all tables those of ours: a table ends with a brace in the first column.</summary>
    public static string OwnTables(string listing)
    {
        var own = new StringBuilder();
        var inside = false;
        foreach (var line in listing.Split('\n'))
        {
            inside |= line.StartsWith("table inet istio-ambient-", StringComparison.Ordinal);
            if (inside)
                own.Append(line).Append('\n');
            inside &= !line.StartsWith('}');
        }
        return own.ToString();
    }

    public static string NftablesRemoval() => string.Concat(
        new[] { "istio-ambient-mangle", "istio-ambient-nat", "istio-ambient-raw" }.Select(t => $"add table inet {t}\ndelete table inet {t}\n"));

    /// <summary>For iptables-restore --noflush. The chains of ours are declared, hence emptied; the jumps are added by <see cref="IptablesJumps"/> only once.</summary>
    public static string Iptables(bool dns, bool isIpv6, bool inbound = true)
    {
        var probe = isIpv6 ? ProbeSourceV6 : ProbeSource;
        var loopback = isIpv6 ? "::1/128" : "127.0.0.1/32";
        var dnsNat = dns
            ? $"""
              -A ISTIO_OUTPUT ! -o lo -p udp -m mark ! --mark 0x539/0xfff -m udp --dport 53 -j REDIRECT --to-port 15053
              -A ISTIO_OUTPUT ! -d {loopback} -p tcp --dport 53 -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15053

              """
            : string.Empty;
        var inboundNat = inbound
            ? $"""
              -A ISTIO_PRERT -s {probe} -p tcp -m tcp -j ACCEPT
              -A ISTIO_PRERT ! -d {loopback} -p tcp ! --dport 15008 -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15006

              """
            : string.Empty;
        // Declared also where nothing belongs into them: what another setting had written goes.
        var raw = dns
            ? """
              -A ISTIO_OUTPUT -p udp -m mark --mark 0x539/0xfff -m udp --dport 53 -j CT --zone 1
              -A ISTIO_PRERT -p udp -m mark ! --mark 0x539/0xfff -m udp --sport 53 -j CT --zone 1

              """
            : string.Empty;
        return $"""
            *mangle
            :ISTIO_PRERT - [0:0]
            :ISTIO_OUTPUT - [0:0]
            -A ISTIO_PRERT -m mark --mark 0x539/0xfff -j CONNMARK --set-xmark 0x111/0xfff
            -A ISTIO_OUTPUT -m connmark --mark 0x111/0xfff -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff
            COMMIT
            *nat
            :ISTIO_PRERT - [0:0]
            :ISTIO_OUTPUT - [0:0]
            {inboundNat}-A ISTIO_OUTPUT -d {probe} -p tcp -m tcp -j ACCEPT
            {dnsNat}-A ISTIO_OUTPUT -p tcp -m mark --mark 0x111/0xfff -j ACCEPT
            -A ISTIO_OUTPUT ! -d {loopback} -o lo -j ACCEPT
            -A ISTIO_OUTPUT ! -d {loopback} -p tcp -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15001
            COMMIT
            *raw
            :ISTIO_PRERT - [0:0]
            :ISTIO_OUTPUT - [0:0]
            {raw}COMMIT

            """;
    }

    /// <summary>Table, built-in chain, chain of ours.</summary>
    public static IEnumerable<(string Table, string From, string To)> IptablesJumps(bool dns)
    {
        foreach (var table in dns ? (string[])["mangle", "nat", "raw"] : ["mangle", "nat"])
        {
            yield return (table, "PREROUTING", "ISTIO_PRERT");
            yield return (table, "OUTPUT", "ISTIO_OUTPUT");
        }
    }

    private static IEnumerable<(string Family, string Probe, string Loopback)> Families(bool ipv6)
    {
        yield return ("ip", ProbeSource, "127.0.0.1");
        if (ipv6)
            yield return ("ip6", ProbeSourceV6, "::1");
    }

    private static void Table(StringBuilder script, string name, string body) =>
        script.Append($"add table inet {name}\nflush table inet {name}\ntable inet {name} {{\n{body}\n}}\n");
}

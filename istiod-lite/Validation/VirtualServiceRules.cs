using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Validation;

/// <summary>VirtualService but for the entries of http, which are in <see cref="HttpRouteRules"/>.</summary>
internal static class VirtualServiceRules
{
    public static void Check(Field root, DocumentFaults faults)
    {
        var spec = root["spec"];
        var (hosts, gateways) = (spec["hosts"], spec["gateways"]);
        var inMesh = gateways.Count == 0 || gateways.Items.Any(g => g.Text is "mesh");
        // Without hosts it is a piece for another VirtualService to delegate to.
        var isDelegate = hosts.Count == 0;
        Hosts(hosts, inMesh, faults);
        foreach (var gateway in gateways.Items)
        {
            var parts = gateway.Text.Split('/');
            if (parts.Length > 2 || !parts.All(p => Syntax.IsDnsLabel(p) || (parts.Length == 1 && Syntax.IsHost(p))))
                faults.Refuse(gateway, $"is \"{gateway.Text}\"", "write mesh, or namespace/name of a Gateway");
        }
        CommonRules.ExportTo(spec["exportTo"], faults);
        if (spec["http"].Count + spec["tcp"].Count + spec["tls"].Count == 0)
            faults.Refuse(spec, "has none of http, tcp and tls", "add a route");
        if (isDelegate && (spec["tcp"].Count > 0 || spec["tls"].Count > 0))
            faults.Refuse(spec, "has no hosts, so it can only be delegated to, but only http routes can", "add hosts, or remove tcp and tls");
        if (isDelegate && gateways.Count > 0)
            faults.Refuse(gateways, "cannot stand in a VirtualService without hosts", "remove it: the VirtualService that delegates decides");
        foreach (var route in spec["http"].Items)
            HttpRouteRules.Check(route, isDelegate, faults);
        RouteOrder.Check(spec["http"], faults);
        foreach (var route in spec["tcp"].Items)
        {
            Destinations(route, faults);
            foreach (var match in route["match"].Items)
                L4Match(match, faults);
        }
        foreach (var route in spec["tls"].Items)
            Tls(route, hosts, faults);
    }

    public static void Destination(Field destination, DocumentFaults faults)
    {
        if (destination["host"].Exists)
            CommonRules.Host(destination["host"], faults);
        if (destination["subset"].Text.Length > 0 && !Syntax.IsDnsLabel(destination["subset"].Text))
            faults.Refuse(destination["subset"], $"is \"{destination["subset"].Text}\", which is no name of a subset", "use lower case letters, digits and '-'");
    }

    /// <summary>The weights of a list of destinations: none negative, not all zero where there is a choice.</summary>
    public static void Weights(Field destinations, DocumentFaults faults)
    {
        if (destinations.Count > 1 && destinations.Items.All(d => d["weight"].Number is null or 0))
            faults.Refuse(destinations, "has several destinations and no weight", "give them weights");
    }

    private static void Hosts(Field hosts, bool inMesh, DocumentFaults faults)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var host in hosts.Items)
        {
            if (!seen.Add(host.Text))
                faults.Refuse(host, $"names {host.Text} again", "remove one of the two");
            else if (host.Text is "*" && inMesh)
                faults.Refuse(host, "is \"*\", which is only possible at a gateway", "name the hosts");
            else if (!Syntax.IsAddress(host.Text))
                CommonRules.Host(host, faults);
        }
    }

    private static void Tls(Field route, Field hosts, DocumentFaults faults)
    {
        Destinations(route, faults);
        if (route["match"].Count == 0)
            faults.Refuse(route, "has no match", "add match with sniHosts");
        foreach (var match in route["match"].Items)
        {
            L4Match(match, faults);
            if (match["sniHosts"].Count == 0)
                faults.Refuse(match, "has no sniHosts", "name the hosts that clients ask for");
            foreach (var sni in match["sniHosts"].Items)
            {
                CommonRules.Host(sni, faults);
                if (!hosts.Items.Any(h => Covers(h.Text, sni.Text)))
                    faults.Refuse(sni, $"is {sni.Text}, which is none of the hosts ({string.Join(", ", hosts.Items.Select(h => h.Text))})", "add it to hosts, or correct it");
            }
        }
    }

    private static bool Covers(string host, string sni) =>
        host == sni || (host.StartsWith('*') && sni.Length >= host.Length && sni.EndsWith(host[1..], StringComparison.Ordinal));

    private static void Destinations(Field route, DocumentFaults faults)
    {
        if (route["route"].Count == 0)
            faults.Refuse(route, "has no route", "add a destination");
        Weights(route["route"], faults);
        foreach (var entry in route["route"].Items)
        {
            if (!entry["destination"].Exists)
                faults.Refuse(entry, "has no destination", "add destination with a host");
            else
                Destination(entry["destination"], faults);
        }
    }

    private static void L4Match(Field match, DocumentFaults faults)
    {
        foreach (var subnet in match["destinationSubnets"].Items.Where(s => !Syntax.IsAddressOrCidr(s.Text)))
            faults.Refuse(subnet, $"is \"{subnet.Text}\", which is no block of addresses", "write it like 10.0.0.0/8");
        CommonRules.Labels(match["sourceLabels"], faults);
    }
}

using System.Collections.Frozen;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Validation;

/// <summary>ServiceEntry, WorkloadEntry and WorkloadGroup.</summary>
internal static class EntryRules
{
    private const int LongestServiceAccount = 253;
    private static readonly FrozenSet<string> _protocols = FrozenSet.ToFrozenSet(
        ["HTTP", "HTTPS", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB", "GRPC_WEB", "TCP", "TLS", "UDP", "MONGO", "REDIS", "MYSQL", "HBONE"], StringComparer.OrdinalIgnoreCase);
    private static readonly FrozenSet<string> _tellHostsApart = FrozenSet.ToFrozenSet(["HTTP", "HTTPS", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB", "GRPC_WEB", "TLS"], StringComparer.OrdinalIgnoreCase);
    private static readonly FrozenSet<string> _dynamic = FrozenSet.ToFrozenSet(["HTTP", "HTTPS", "HTTP2", "GRPC", "TLS"], StringComparer.OrdinalIgnoreCase);

    public static void WorkloadEntry(Field root, DocumentFaults faults)
    {
        var spec = root["spec"];
        if (spec["address"].Text.Length == 0 && spec["network"].Text.Length == 0)
            faults.Refuse(spec, "has no address", "add the address of the workload");
        else if (spec["address"].Text.Length == 0)
            faults.Warn(spec.Line, $"it has no address, only the network {spec["network"].Text}", "add the address, unless the network's gateway knows the workload");
        Endpoint(spec, faults);
    }

    public static void WorkloadGroup(Field root, DocumentFaults faults)
    {
        var spec = root["spec"];
        if (!spec["template"].Exists)
            faults.Refuse(spec, "has no template", "add template, {} if nothing is to be said");
        CommonRules.Labels(spec["metadata"]["labels"], faults);
        Endpoint(spec["template"], faults);
        Probe(spec["probe"], faults);
    }

    public static void ServiceEntry(Field root, DocumentFaults faults)
    {
        var spec = root["spec"];
        var resolution = spec["resolution"].Text;
        var ports = Ports(spec["ports"], faults);
        Hosts(spec, resolution, faults);
        Addresses(spec["addresses"], resolution, faults);
        CommonRules.ExportTo(spec["exportTo"], faults);
        CommonRules.Selector(spec["workloadSelector"]["labels"], faults);
        if (spec["workloadSelector"].Exists && spec["endpoints"].Count > 0)
            faults.Refuse(spec, "has both workloadSelector and endpoints", "keep one");
        if (spec["workloadSelector"].Exists && spec["workloadSelector"]["labels"].Count == 0)
            faults.Warn(spec["workloadSelector"].Line, "an empty workloadSelector selects nothing", "add labels");
        Endpoints(spec["endpoints"], resolution, ports, faults);
        if (resolution is "DYNAMIC_DNS")
            Dynamic(spec, faults);
    }

    private static HashSet<string> Ports(Field ports, DocumentFaults faults)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var numbers = new HashSet<long>();
        foreach (var port in ports.Items)
        {
            var (name, number, protocol) = (port["name"], port["number"], port["protocol"]);
            if (!Syntax.IsDnsLabel(name.Text))
                faults.Refuse(name, $"is \"{name.Text}\", which is no name of a port", "use lower case letters, digits and '-'");
            else if (!names.Add(name.Text))
                faults.Refuse(name, $"names the port {name.Text} again", "give it another name");
            if (!number.Exists)
                faults.Refuse(port, "has no number", "add number");
            else if (number.Number is { } value && !numbers.Add(value))
                faults.Refuse(number, $"defines the port {value} again", "remove one of the two");
            if (protocol.Text.Length > 0 && !_protocols.Contains(protocol.Text))
                faults.Refuse(protocol, $"is {protocol.Text}, which is not known", $"use of {string.Join(", ", _protocols.Order(StringComparer.Ordinal))}");
        }
        return names;
    }

    private static void Hosts(Field spec, string resolution, DocumentFaults faults)
    {
        var hosts = spec["hosts"];
        if (hosts.Count == 0)
            faults.Refuse(spec, "has no hosts", "name a host");
        foreach (var host in hosts.Items)
        {
            if (host.Text is "*")
                faults.Refuse(host, "is \"*\"", "name the host, or a domain such as *.example.com");
            else
                CommonRules.Host(host, faults);
            if (resolution is "DNS" or "DNS_ROUND_ROBIN" && spec["endpoints"].Count == 0 && host.Text.StartsWith("*.", StringComparison.Ordinal))
                faults.Refuse(host, $"is {host.Text}, which DNS cannot be asked for", "add endpoints, or use resolution DYNAMIC_DNS");
        }
        var tellsApart = spec["ports"].Items.All(p => _tellHostsApart.Contains(p["protocol"].Text));
        if (hosts.Count > 1 && resolution is not ("" or "NONE") && !tellsApart)
            faults.Refuse(hosts, "has several entries, but on a port that is neither HTTP nor TLS nobody can tell which one is meant", "write one ServiceEntry for each host");
    }

    private static void Addresses(Field addresses, string resolution, DocumentFaults faults)
    {
        foreach (var address in addresses.Items)
        {
            if (!Syntax.IsAddressOrCidr(address.Text))
                faults.Refuse(address, $"is \"{address.Text}\", which is no address", "write an address such as 203.0.113.10");
            else if (address.Text.Contains('/', StringComparison.Ordinal) && resolution is not ("" or "NONE" or "STATIC"))
                faults.Refuse(address, $"is a block of addresses, which resolution {resolution} cannot have", "use resolution NONE or STATIC, or single addresses");
        }
    }

    private static void Endpoints(Field endpoints, string resolution, HashSet<string> ports, DocumentFaults faults)
    {
        if (endpoints.Count > 0 && resolution is "" or "NONE" && endpoints.Count > 0)
            faults.Refuse(endpoints, "cannot be used with resolution NONE, which sends to the address that the client asked for", "remove them, or use resolution STATIC or DNS");
        if (resolution is "DNS_ROUND_ROBIN" && endpoints.Count > 1)
            faults.Refuse(endpoints, "has more than one entry, which resolution DNS_ROUND_ROBIN cannot have", "keep one, or use resolution DNS");
        foreach (var endpoint in endpoints.Items)
        {
            var address = endpoint["address"];
            if (address.Text.Length == 0 && endpoint["network"].Text.Length == 0)
                faults.Refuse(endpoint, "has no address", "add the address");
            else if (resolution is "STATIC" && address.Text.Length > 0 && !Syntax.IsAddress(address.Text) && !IsUnix(address.Text))
                faults.Refuse(address, $"is \"{address.Text}\": resolution STATIC wants addresses", "write an address, or use resolution DNS");
            Endpoint(endpoint, faults);
            foreach (var (name, port) in endpoint["ports"].Entries)
            {
                if (ports.Count > 0 && !ports.Contains(name))
                    faults.Refuse(port, $"names the port {name}, which the ServiceEntry does not have", $"use of {string.Join(", ", ports.Order(StringComparer.Ordinal))}");
            }
        }
    }

    private static void Dynamic(Field spec, DocumentFaults faults)
    {
        foreach (var host in spec["hosts"].Items.Where(h => !h.Text.StartsWith('*')))
            faults.Refuse(host, $"is {host.Text}; resolution DYNAMIC_DNS is for wildcards", "use resolution DNS");
        foreach (var name in (ReadOnlySpan<string>)["addresses", "endpoints", "workloadSelector"])
        {
            if (spec[name].Exists)
                faults.Refuse(spec[name], "cannot be used with resolution DYNAMIC_DNS", "remove it");
        }
        foreach (var protocol in spec["ports"].Items.Select(p => p["protocol"]).Where(p => !_dynamic.Contains(p.Text)))
            faults.Refuse(protocol, $"is {protocol.Text}; resolution DYNAMIC_DNS needs a protocol that names the host", "use HTTP, HTTP2, GRPC or TLS");
    }

    private static void Endpoint(Field endpoint, DocumentFaults faults)
    {
        var address = endpoint["address"];
        if (IsUnix(address.Text))
        {
            if (endpoint["ports"].Count > 0)
                faults.Refuse(endpoint["ports"], "cannot be used with a socket in the file system", "remove them");
            if (!address.Text.StartsWith("unix:///", StringComparison.Ordinal) && !address.Text.StartsWith("unix://@", StringComparison.Ordinal))
                faults.Refuse(address, "is not the full path of a socket", "write it like unix:///run/app.sock");
        }
        else if (address.Text.Length > 0 && !Syntax.IsAddress(address.Text) && !Syntax.IsHost(address.Text))
        {
            faults.Refuse(address, $"is \"{address.Text}\", neither an address nor a host", "correct it");
        }
        foreach (var (name, port) in endpoint["ports"].Entries)
        {
            if (!Syntax.IsDnsLabel(name))
                faults.Refuse(port, $"is for a port named \"{name}\", which no port can be", "use lower case letters, digits and '-'");
        }
        CommonRules.Labels(endpoint["labels"], faults);
        if (endpoint["serviceAccount"].Text.Length > LongestServiceAccount)
            faults.AddToSchema(endpoint["serviceAccount"].Line, $"{endpoint["serviceAccount"].Path} has more than {LongestServiceAccount} characters", "correct it");
    }

    private static void Probe(Field probe, DocumentFaults faults)
    {
        if (!probe.Exists)
            return;
        if (new[] { "httpGet", "tcpSocket", "exec", "grpc" }.Count(n => probe[n].Exists) != 1)
            faults.Refuse(probe, "must have exactly one of httpGet, tcpSocket, exec and grpc", "keep one");
        foreach (var name in (ReadOnlySpan<string>)["httpGet", "tcpSocket", "grpc"])
        {
            if (probe[name].Exists && !Syntax.IsPort(probe[name]["port"].Number))
                faults.Refuse(probe[name]["port"], "is no port", "write a number from 1 to 65535");
        }
        if (probe["exec"].Exists && probe["exec"]["command"].Count == 0)
            faults.Refuse(probe["exec"], "has no command", "add command");
        foreach (var name in (ReadOnlySpan<string>)["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"])
            CommonRules.Range(probe[name], 0, int.MaxValue, faults);
    }

    private static bool IsUnix(string address) => address.StartsWith("unix://", StringComparison.Ordinal);
}

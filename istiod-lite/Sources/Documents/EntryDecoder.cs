using System.Globalization;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

/// <summary>WorkloadEntry, WorkloadGroup and ServiceEntry, which share the endpoint.</summary>
internal static class EntryDecoder
{
    public static Resource WorkloadEntry(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("status");
        return new WorkloadEntry { Meta = meta, Position = position, Endpoint = root.Object("spec", Endpoint) ?? new EntryEndpoint() };
    }

    public static Resource WorkloadGroup(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        root.Ignore("status");
        IReadOnlyDictionary<string, string>? labels = null;
        var template = new EntryEndpoint();
        GroupProbe? probe = null;
        root.Object("spec", spec =>
        {
            probe = spec.Object("probe", p => new ProbeHolder(Probe(p)))?.Probe;
            spec.Object("metadata", m =>
            {
                m.Ignore("annotations");
                labels = m.StringMap("labels");
            });
            template = spec.Object("template", Endpoint) ?? template;
        });
        return new WorkloadGroup { Meta = meta, Position = position, Template = template, TemplateLabels = labels ?? new Dictionary<string, string>(StringComparer.Ordinal), Probe = probe };
    }

    private static GroupProbe? Probe(FieldReader probe)
    {
        // exec and grpc: what runs beside the instance does those (meshctl register).
        probe.Ignore("initialDelaySeconds", "exec", "grpc");
        TimeSpan Seconds(string name, int otherwise) => TimeSpan.FromSeconds(probe.Int(name, 0) is { } given and > 0 ? given : otherwise);
        int Times(string name, int otherwise) => probe.Int(name, 0) is { } given and > 0 ? given : otherwise;
        // Defaults of Istio's ReadinessProbe, which are Kubernetes'.
        var empty = new GroupProbe(0, null, Seconds("periodSeconds", 10), Seconds("timeoutSeconds", 1), Times("failureThreshold", 3), Times("successThreshold", 1));
        var http = probe.Object("httpGet", get =>
        {
            get.Ignore("host", "httpHeaders");
            var (port, path) = (get.Port("port") ?? 0, get.String("path") is { Length: > 0 } given ? given : "/");
            return get.String("scheme") is "HTTPS" ? empty : empty with { Port = port, Path = path[0] == '/' ? path : "/" + path };
        });
        var tcp = probe.Object("tcpSocket", socket =>
        {
            socket.Ignore("host");
            return empty with { Port = socket.Port("port") ?? 0 };
        });
        return (http ?? tcp) is { Port: > 0 } asked ? asked : null;
    }

    public static Resource ServiceEntry(ObjectMeta meta, DocumentPosition position, FieldReader root)
    {
        IReadOnlyList<(string, string)> allocated = [];
        IReadOnlyList<string> conditions = [];
        root.Object("status", status =>
        {
            status.Ignore("validationMessages", "observedGeneration");
            allocated = [.. status.Objects("addresses", a => new AddressHolder(a.String("host") ?? "", a.String("value") ?? "")).Select(a => (a.Host, a.Value))];
            conditions = [.. status.Objects("conditions", c =>
            {
                c.Ignore("status", "reason", "message", "lastTransitionTime", "lastProbeTime", "observedGeneration");
                return new AddressHolder(c.String("type") ?? "", "");
            }).Select(c => c.Host)];
        });
        return root.Object("spec", spec => new ServiceEntry
        {
            Meta = meta,
            Position = position,
            Hosts = spec.Strings("hosts"),
            Addresses = spec.Strings("addresses"),
            Ports = spec.Objects("ports", Port),
            External = spec.Choice("location", true, ("MESH_EXTERNAL", true), ("MESH_INTERNAL", false)),
            Resolution = spec.Choice("resolution", EntryResolution.None, ("NONE", EntryResolution.None), ("STATIC", EntryResolution.Static), ("DNS", EntryResolution.Dns),
                ("DNS_ROUND_ROBIN", EntryResolution.DnsRoundRobin), ("DYNAMIC_DNS", EntryResolution.DynamicDns)),
            Endpoints = spec.Objects("endpoints", Endpoint),
            WorkloadSelector = Labels(spec, "workloadSelector", "labels"),
            SubjectAltNames = spec.Strings("subjectAltNames"),
            ExportTo = spec.Strings("exportTo"),
            AllocatedAddresses = allocated,
            ConditionTypes = conditions,
        }) ?? new ServiceEntry { Meta = meta, Position = position, AllocatedAddresses = allocated, ConditionTypes = conditions };
    }

    /// <summary>An object that holds nothing but labels; null where it is absent.</summary>
    public static IReadOnlyDictionary<string, string>? Labels(FieldReader owner, string field, string inner) =>
        owner.Object(field, s => s.StringMap(inner) ?? new Dictionary<string, string>(StringComparer.Ordinal));

    private sealed record ProbeHolder(GroupProbe? Probe);

    private sealed record AddressHolder(string Host, string Value);

    private static EntryPort Port(FieldReader p) =>
        new(p.String("name") ?? "", p.Port("number") ?? 0, p.String("protocol") ?? "", p.Int("targetPort", 0, 65535) ?? 0);

    private static EntryEndpoint Endpoint(FieldReader e) => new()
    {
        Address = e.String("address") ?? "",
        Ports = e.Map("ports", (node, field) =>
        {
            if (node is YamlScalar scalar && int.TryParse(scalar.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= 65535)
                return port;
            e.Faults.Add(node.Line, $"{e.Path}.{field} must be a port number, it is {node.Shape}", "write a number from 1 to 65535");
            return 0;
        }) ?? new Dictionary<string, int>(StringComparer.Ordinal),
        Labels = e.StringMap("labels") ?? new Dictionary<string, string>(StringComparer.Ordinal),
        Network = e.String("network") ?? "",
        Locality = e.String("locality") ?? "",
        Weight = e.UInt("weight") ?? 0,
        ServiceAccount = e.String("serviceAccount") ?? "",
    };
}

using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Validation;

/// <summary>DestinationRule.</summary>
internal static class DestinationRuleRules
{
    // Envoy's limit for Maglev's table; it must be prime.
    private const long LargestMaglevTable = 5_000_011;

    public static void Check(Field root, DocumentFaults faults)
    {
        var spec = root["spec"];
        if (spec["host"].Text.Length > 0)
            CommonRules.Host(spec["host"], faults);
        CommonRules.ExportTo(spec["exportTo"], faults);
        CommonRules.Selector(spec["workloadSelector"]["matchLabels"], faults);
        Policy(spec["trafficPolicy"], faults);
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var subset in spec["subsets"].Items)
        {
            var name = subset["name"];
            if (name.Text.Length > 0 && !Syntax.IsDnsLabel(name.Text))
                faults.Refuse(name, $"is \"{name.Text}\", which is no name of a subset", "use lower case letters, digits and '-'");
            else if (name.Text.Length > 0 && !names.Add(name.Text))
                faults.Refuse(name, $"defines the subset {name.Text} again", "give it another name, or remove one of the two");
            CommonRules.Labels(subset["labels"], faults);
            Policy(subset["trafficPolicy"], faults);
        }
    }

    private static void Policy(Field policy, DocumentFaults faults)
    {
        if (!policy.Exists)
            return;
        if (policy.Count == 0)
            faults.Refuse(policy, "says nothing", "remove it, or add loadBalancer, connectionPool, outlierDetection or tls");
        Blocks(policy, faults);
        foreach (var settings in policy["portLevelSettings"].Items)
        {
            if (!Syntax.IsPort(settings["port"]["number"].Number))
                faults.Refuse(settings, "has no valid port.number", "name the port");
            Blocks(settings, faults);
        }
    }

    private static void Blocks(Field policy, DocumentFaults faults)
    {
        LoadBalancer(policy["loadBalancer"], policy["outlierDetection"].Exists, faults);
        Pool(policy["connectionPool"], faults);
        var outlier = policy["outlierDetection"];
        if (outlier["consecutiveErrors"].Exists)
            faults.Warn(outlier["consecutiveErrors"].Line, "consecutiveErrors is deprecated", "use consecutiveGatewayErrors or consecutive5xxErrors");
        Tls(policy["tls"], faults);
        var tunnel = policy["tunnel"];
        if (!tunnel.Exists)
            return;
        if (tunnel["protocol"].Text is not ("" or "CONNECT" or "POST"))
            faults.Refuse(tunnel["protocol"], $"is {tunnel["protocol"].Text}", "use CONNECT or POST");
        if (!Syntax.IsAddress(tunnel["targetHost"].Text))
            CommonRules.Host(tunnel["targetHost"], faults, allowWildcard: false);
        if (!Syntax.IsPort(tunnel["targetPort"].Number))
            faults.Refuse(tunnel["targetPort"], "is no port", "write a number from 1 to 65535");
    }

    private static void LoadBalancer(Field balancer, bool ejects, DocumentFaults faults)
    {
        if (balancer["simple"].Exists && balancer["consistentHash"].Exists)
            faults.Refuse(balancer, "has both simple and consistentHash", "keep one");
        var hash = balancer["consistentHash"];
        if (hash.Exists)
        {
            var keys = new[] { "httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName" }.Count(k => hash[k].Exists);
            if (keys > 1)
                faults.Refuse(hash, "has more than one key", "keep one of httpHeaderName, httpCookie, useSourceIp and httpQueryParameterName");
            var table = hash["maglev"]["tableSize"];
            if (table.Number is { } size && (size >= LargestMaglevTable || !IsPrime(size)))
                faults.Refuse(table, $"is {size}; it must be a prime below {LargestMaglevTable}", "use 65537");
        }
        var warmup = balancer["warmup"];
        if (warmup.Exists && !warmup["duration"].Exists)
            faults.Refuse(warmup, "has no duration", "add duration");
        Locality(balancer["localityLbSetting"], ejects, faults);
    }

    private static void Locality(Field locality, bool ejects, DocumentFaults faults)
    {
        var (distribute, failover, priority) = (locality["distribute"], locality["failover"], locality["failoverPriority"]);
        if (distribute.Count > 0 && (failover.Count > 0 || priority.Count > 0))
            faults.Refuse(locality, "has distribute beside failover", "keep one");
        foreach (var entry in distribute.Items)
        {
            var sum = 0L;
            foreach (var (_, weight) in entry["to"].Entries)
            {
                if (weight.Number is null or < 1)
                    faults.Refuse(weight, "is no weight", "write a number from 1 to 100");
                sum += weight.Number ?? 0;
            }
            if (sum != 100)
                faults.Refuse(entry["to"], $"has weights that sum up to {sum}, not 100", "correct the weights");
        }
        foreach (var entry in failover.Items)
        {
            var (from, to) = (entry["from"], entry["to"]);
            if (from.Text == to.Text)
                faults.Refuse(entry, $"leads from {from.Text} to itself", "name two regions");
            foreach (var region in (ReadOnlySpan<Field>)[from, to])
            {
                if (region.Text.AsSpan().ContainsAny('/', '*'))
                    faults.Refuse(region, $"is \"{region.Text}\"", "name a region, without zone");
            }
        }
        if ((failover.Count > 0 || priority.Count > 0) && !ejects)
            faults.Warn(locality.Line, "failover between localities only happens with outlierDetection beside it, which notices that endpoints fail", "add outlierDetection");
    }

    private static void Pool(Field pool, DocumentFaults faults)
    {
        if (pool.Exists && !pool.HasAny("tcp", "http"))
            faults.Refuse(pool, "has neither tcp nor http", "add one of them, or remove it");
    }

    private static void Tls(Field tls, DocumentFaults faults)
    {
        var credential = tls["credentialName"].Text.Length > 0;
        switch (tls["mode"].Text)
        {
            case "MUTUAL" when !credential:
                foreach (var name in (ReadOnlySpan<string>)["clientCertificate", "privateKey"])
                {
                    if (tls[name].Text.Length == 0)
                        faults.Refuse(tls, $"has mode MUTUAL without {name}", $"add {name}, or credentialName");
                }
                break;
            case "MUTUAL" when tls.HasAny("clientCertificate", "privateKey", "caCertificates"):
                faults.Refuse(tls, "has credentialName beside files", "keep one");
                break;
            case "ISTIO_MUTUAL" when tls.HasAny("clientCertificate", "privateKey", "caCertificates"):
                faults.Refuse(tls, "has mode ISTIO_MUTUAL and certificates of its own", "remove them: the mesh's are used");
                break;
            default:
                break;
        }
    }

    private static bool IsPrime(long number)
    {
        if (number < 2)
            return false;
        for (var i = 2L; i * i <= number; i++)
        {
            if (number % i == 0)
                return false;
        }
        return true;
    }
}

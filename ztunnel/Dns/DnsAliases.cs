namespace Mesh.Ztunnel.Dns;

/// <summary>
/// Which service host names a question may mean: the name itself, its Kubernetes expansions, and the same for the name with a
/// search domain taken off. Pure; the order is the order of preference.
/// </summary>
internal static class DnsAliases
{
    /// <param name="Name">The host name to look up.</param>
    /// <param name="SearchDomain">The domain that was stripped from the question to get here; null for the question itself.</param>
    /// <param name="Stripped">The question without the search domain: what the CNAME of the answer points to.</param>
    internal readonly record struct Alias(string Name, string? SearchDomain, string? Stripped);

    /// <summary>What a pod's resolv.conf has: the pod's file is not read, these are the ones that the kubelet writes.</summary>
    public static string[] SearchDomains(string clientNamespace, string clusterDomain) =>
        [$"{clientNamespace}.svc.{clusterDomain}", $"svc.{clusterDomain}", clusterDomain];

    public static List<Alias> Of(string name, string clientNamespace, string clusterDomain, IReadOnlyList<string> searchDomains)
    {
        var aliases = new List<Alias>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        Add(aliases, seen, name, null, clientNamespace, clusterDomain);
        foreach (var domain in searchDomains)
        {
            if (name.Length > domain.Length + 1 && name.EndsWith(domain, StringComparison.Ordinal) && name[name.Length - domain.Length - 1] == '.')
                Add(aliases, seen, name[..(name.Length - domain.Length - 1)], domain, clientNamespace, clusterDomain);
        }
        return aliases;
    }

    /// <summary>Full names that a short Kubernetes name stands for, by the number of its labels.</summary>
    public static IEnumerable<string> KubernetesExpansions(string name, string clientNamespace, string clusterDomain)
    {
        var labels = name.Split('.');
        switch (labels.Length)
        {
            case 1:
                yield return $"{name}.{clientNamespace}.svc.{clusterDomain}";
                break;
            case 2:
                yield return $"{name}.svc.{clusterDomain}";
                yield return $"{name}.{clientNamespace}.svc.{clusterDomain}";
                break;
            case 3:
                if (labels[2] == "svc")
                    yield return $"{name}.{clusterDomain}";
                yield return $"{name}.svc.{clusterDomain}";
                break;
            case 4 when labels[3] == "svc":
                yield return $"{name}.{clusterDomain}";
                break;
            default:
                break;
        }
    }

    /// <summary><c>a.b.c</c> gives <c>*.b.c</c> and <c>*.c</c>.</summary>
    public static IEnumerable<string> Wildcards(string name)
    {
        for (var dot = name.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = name.IndexOf('.', dot + 1))
            yield return "*" + name[dot..];
    }

    private static void Add(List<Alias> aliases, HashSet<string> seen, string name, string? domain, string clientNamespace, string clusterDomain)
    {
        var stripped = domain is null ? null : name;
        if (seen.Add(name))
            aliases.Add(new Alias(name, domain, stripped));
        foreach (var expansion in KubernetesExpansions(name, clientNamespace, clusterDomain))
        {
            if (seen.Add(expansion))
                aliases.Add(new Alias(expansion, domain, stripped));
        }
    }
}

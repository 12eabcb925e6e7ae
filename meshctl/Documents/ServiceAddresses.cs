using System.Text;

using Mesh.Meshctl.Topology;

using YamlDotNet.RepresentationModel;

namespace Mesh.Meshctl.Documents;

/// <summary>A name that pods can call, with its virtual address.</summary>
internal sealed record NamedAddress(string Namespace, string Name, string Address, bool IsService);

/// <summary>Gives each Service without a clusterIP one from 198.19.0.0/16, as a Kubernetes API server would, and writes the pods' hosts files.</summary>
internal sealed class ServiceAddresses
{
    private readonly Dictionary<string, string> _allocated = new(StringComparer.Ordinal);
    private int _next;

    /// <summary>The text to hand to the control plane, and the number of the line that was put in (0: none).</summary>
    public (string Text, int InsertedLine) Complete(MeshDocument document)
    {
        var text = document.TextAtItsLines;
        if (document.Kind != "Service" || document.TextAt("spec", "clusterIP") is not null || document.TextAt("spec", "type") == "ExternalName"
            || document.Find("spec") is not YamlMappingNode { Style: not YamlDotNet.Core.Events.MappingStyle.Flow } spec)
            return (text, 0);

        var at = document.FirstLine - 1 + (int)spec.Start.Line;
        var lines = text.Split('\n').ToList();
        lines.Insert(at - 1, new string(' ', (int)spec.Start.Column - 1) + "clusterIP: " + AddressOf(document));
        return (string.Join('\n', lines), at);
    }

    public IEnumerable<NamedAddress> NamesOf(MeshDocument document)
    {
        if (document.Kind == "Service")
        {
            var address = document.TextAt("spec", "clusterIP") ?? (_allocated.TryGetValue(document.Key, out var own) ? own : null);
            if (address is not null and not "None" and not "")
                yield return new NamedAddress(document.Namespace, document.Name, address, IsService: true);
        }
        else if (document.Kind == "ServiceEntry" && document.Find("spec", "addresses") is YamlSequenceNode addresses && document.Find("spec", "hosts") is YamlSequenceNode hosts)
        {
            foreach (var (host, address) in hosts.OfType<YamlScalarNode>().Zip(addresses.OfType<YamlScalarNode>()))
            {
                if (host.Value is { } name && address.Value is { } ip && !ip.Contains('/', StringComparison.Ordinal) && !name.Contains('*', StringComparison.Ordinal))
                    yield return new NamedAddress(document.Namespace, name, ip, IsService: false);
            }
        }
    }

    /// <summary>What /etc/hosts says in a pod of <paramref name="podNamespace"/>: short names mean the own namespace, as cluster DNS search paths do.</summary>
    public static string HostsFile(string podNamespace, string podName, string podAddress, IEnumerable<NamedAddress> names)
    {
        var text = new StringBuilder("127.0.0.1 localhost\n::1 localhost\n");
        text.Append(podAddress).Append(' ').Append(podName).Append('\n');
        foreach (var entry in names.OrderBy(n => n.Namespace, StringComparer.Ordinal).ThenBy(n => n.Name, StringComparer.Ordinal))
        {
            text.Append(entry.Address).Append(' ');
            if (entry.IsService)
            {
                text.Append($"{entry.Name}.{entry.Namespace}.svc.cluster.local {entry.Name}.{entry.Namespace}.svc {entry.Name}.{entry.Namespace}");
                if (entry.Namespace == podNamespace)
                    text.Append(' ').Append(entry.Name);
            }
            else
            {
                text.Append(entry.Name);
            }

            text.Append('\n');
        }

        return text.ToString();
    }

    private string AddressOf(MeshDocument document)
    {
        if (!_allocated.TryGetValue(document.Key, out var address))
            _allocated[document.Key] = address = AddressPlan.Virtual(_next++).ToString();
        return address;
    }
}

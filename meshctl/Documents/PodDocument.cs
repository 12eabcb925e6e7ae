using System.Globalization;
using System.Text;

namespace Mesh.Meshctl.Documents;

/// <summary>The Pod document that the control plane reads: what Kubernetes would have said about the same pod.</summary>
internal sealed record PodDocument
{
    public required string Name { get; init; }
    public required string Namespace { get; init; }
    public required string Uid { get; init; }
    public required string ServiceAccount { get; init; }
    public required string Node { get; init; }
    public required string Address { get; init; }
    public required string NodeAddress { get; init; }
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>Capture is on and the node agent has taken the pod; only then do peers send tunnels to it.</summary>
    public required bool Captured { get; init; }
    public required bool Ready { get; init; }

    public string ToYaml()
    {
        var yaml = new StringBuilder();
        yaml.Append("apiVersion: v1\nkind: Pod\nmetadata:\n");
        Field(yaml, 2, "name", Name);
        Field(yaml, 2, "namespace", Namespace);
        Field(yaml, 2, "uid", Uid);
        if (Labels.Count > 0)
        {
            yaml.Append("  labels:\n");
            foreach (var (key, value) in Labels.OrderBy(l => l.Key, StringComparer.Ordinal))
                Field(yaml, 4, Quote(key), value);
        }

        if (Captured)
            yaml.Append("  annotations:\n    ambient.istio.io/redirection: enabled\n");
        yaml.Append("spec:\n");
        Field(yaml, 2, "nodeName", Node);
        Field(yaml, 2, "serviceAccountName", ServiceAccount);
        yaml.Append("  containers: []\nstatus:\n  phase: Running\n");
        Field(yaml, 2, "hostIP", NodeAddress);
        Field(yaml, 2, "podIP", Address);
        yaml.Append(CultureInfo.InvariantCulture, $"  podIPs:\n    - ip: {Quote(Address)}\n  conditions:\n    - type: Ready\n      status: \"{(Ready ? "True" : "False")}\"\n");
        return yaml.ToString();
    }

    private static void Field(StringBuilder yaml, int indent, string key, string value) =>
        yaml.Append(' ', indent).Append(key).Append(": ").Append(Quote(value)).Append('\n');

    /// <summary>Always quoted: labels like "true", "1e3" or "null" must stay text.</summary>
    private static string Quote(string value) =>
        "\"" + value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + "\"";
}

using System.Text;
using System.Text.Json.Nodes;

using Mesh.Meshctl.Install.Charts;

namespace Mesh.Meshctl.Install;

/// <summary>One object of the mesh, ready to be applied.</summary>
/// <param name="Text">YAML, one document.</param>
internal sealed record ManifestObject(string Text)
{
    public JsonObject Body { get; } = YamlReader.Map("manifest", Text);

    public string ApiVersion => Body["apiVersion"]!.GetValue<string>();

    public string Kind => Body["kind"]!.GetValue<string>();

    public string Name => Body["metadata"]!["name"]!.GetValue<string>();

    /// <summary>Empty: the object belongs to the cluster.</summary>
    public string Namespace => Body["metadata"]!["namespace"]?.GetValue<string>() ?? string.Empty;

    public override string ToString() => Namespace.Length == 0 ? $"{Kind} {Name}" : $"{Kind} {Namespace}/{Name}";
}

/// <summary>Everything that an installation consists of, in the order of applying.</summary>
internal sealed record Manifest(IReadOnlyList<ManifestObject> CustomResources, IReadOnlyList<ManifestObject> Objects)
{
    public IEnumerable<ManifestObject> All => CustomResources.Concat(Objects);

    public static Manifest Of(Chart chart, IEnumerable<JsonObject> values, string releaseNamespace)
    {
        var rendered = chart.Render(values, releaseNamespace);
        var home = $"""
            apiVersion: v1
            kind: Namespace
            metadata:
              name: {releaseNamespace}
              labels:
                app.kubernetes.io/part-of: mesh

            """;
        return new Manifest(
            [.. rendered.CustomResources.Select(c => new ManifestObject(c))],
            [new ManifestObject(home), .. rendered.Objects.Select(o => new ManifestObject(o))]);
    }

    /// <summary>For <c>kubectl apply -f -</c>.</summary>
    public string ToYaml(string headline)
    {
        var text = new StringBuilder($"# {headline}\n");
        foreach (var item in All)
            text.Append("---\n").Append(item.Text.TrimEnd('\n')).Append('\n');
        return text.ToString();
    }
}

using System.Text.Json.Nodes;

namespace Mesh.Meshctl.Install.Charts;

/// <summary>What a chart became: whole documents, in the order in which they can be applied.</summary>
/// <param name="CustomResources">The CustomResourceDefinitions, verbatim.</param>
/// <param name="Objects">Everything else, as text with its comments.</param>
internal sealed record RenderedChart(IReadOnlyList<string> CustomResources, IReadOnlyList<string> Objects);

/// <summary>A folder with Chart.yaml, values.yaml, values.schema.json, crds/ and templates/, as Helm has it.</summary>
internal sealed class Chart
{
    private readonly JsonObject _about;
    private readonly JsonObject _values;
    private readonly JsonObject _schema;
    private readonly IReadOnlyList<string> _customResources;
    private readonly Dictionary<string, IReadOnlyList<TemplateNode>> _definitions = new(StringComparer.Ordinal);
    private readonly List<(string File, IReadOnlyList<TemplateNode> Nodes)> _templates = [];

    private Chart(string folder)
    {
        _about = YamlReader.Map("Chart.yaml", Read(folder, "Chart.yaml"));
        _values = YamlReader.Map("values.yaml", Read(folder, "values.yaml"));
        _schema = JsonNode.Parse(Read(folder, "values.schema.json"))!.AsObject();
        _customResources = [.. Files(folder, "crds", "*.yaml").Select(File.ReadAllText)];
        foreach (var file in Files(folder, "templates", "_*.tpl").Concat(Files(folder, "templates", "*.yaml")))
        {
            var name = "templates/" + Path.GetFileName(file);
            var nodes = new TemplateParser(name, _definitions).Parse(File.ReadAllText(file));
            if (name.EndsWith(".yaml", StringComparison.Ordinal))
                _templates.Add((name, nodes));
        }
    }

    public string Version => TemplateFunctions.Text(_about["version"]);

    /// <exception cref="ChartException">A file is missing or wrong.</exception>
    public static Chart Load(string folder)
    {
        try
        {
            return new Chart(folder);
        }
        catch (IOException e)
        {
            throw new ChartException($"the chart in {folder} cannot be read: {e.Message}");
        }
    }

    /// <param name="overrides">Later ones win; maps are merged, everything else is replaced, as Helm does.</param>
    /// <param name="releaseNamespace">Where the mesh's own pods are.</param>
    /// <exception cref="ChartException">Values that the schema refuses, all of them named.</exception>
    public RenderedChart Render(IEnumerable<JsonObject> overrides, string releaseNamespace)
    {
        var values = _values.DeepClone().AsObject();
        foreach (var given in overrides)
            Merge(values, given);
        var problems = ValuesSchema.Check(_schema, values);
        if (problems.Count > 0)
            throw new ChartException(string.Join("; ", problems));

        var root = new JsonObject
        {
            ["Values"] = values,
            ["Release"] = new JsonObject { ["Name"] = "mesh", ["Namespace"] = releaseNamespace, ["Service"] = "meshctl" },
            ["Chart"] = new JsonObject { ["Name"] = _about["name"]?.DeepClone(), ["Version"] = _about["version"]?.DeepClone(), ["AppVersion"] = _about["appVersion"]?.DeepClone() },
        };
        var evaluator = new TemplateEvaluator(root, _definitions);
        List<string> objects = [];
        foreach (var (file, nodes) in _templates)
            objects.AddRange(Split(evaluator.Run(file, nodes)));
        return new RenderedChart(_customResources, [.. objects.OrderBy(InstallOrder.Of)]);
    }

    private static void Merge(JsonObject target, JsonObject given)
    {
        foreach (var (key, value) in given)
        {
            if (value is JsonObject map && target[key] is JsonObject existing)
                Merge(existing, map);
            else
                target[key] = value?.DeepClone();
        }
    }

    private static IEnumerable<string> Split(string text) => ("\n" + text).Split("\n---\n").Select(d => d.Trim('\n', ' ') + "\n").Where(d => d.Split('\n').Any(l => l.Length > 0 && l[0] != '#'));

    private static string Read(string folder, string file) => File.ReadAllText(Path.Combine(folder, file));

    private static IEnumerable<string> Files(string folder, string below, string pattern) => Directory.EnumerateFiles(Path.Combine(folder, below), pattern).Order(StringComparer.Ordinal);
}

/// <summary>Who is needed by others comes first: accounts before what they may, both before the pods that use them.</summary>
internal static class InstallOrder
{
    private static readonly string[] Kinds =
    [
        "Namespace", "ServiceAccount", "ConfigMap", "Secret", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "NetworkPolicy", "PodDisruptionBudget", "Service", "Deployment", "DaemonSet",
    ];

    public static int Of(string document)
    {
        var line = document.Split('\n').FirstOrDefault(l => l.StartsWith("kind: ", StringComparison.Ordinal));
        var place = Array.IndexOf(Kinds, line?["kind: ".Length..].Trim());
        return place < 0 ? Kinds.Length : place;
    }
}

using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Mesh.Testing.Kubernetes.Storage;

/// <summary>labelSelector and fieldSelector of a list or watch.</summary>
public sealed partial class Selectors
{
    private readonly List<Func<JsonObject, bool>> _terms = [];

    public bool Matches(JsonObject item) => _terms.TrueForAll(t => t(item));

    public static Selectors Parse(ServedKind kind, string? labels, string? fields)
    {
        var selectors = new Selectors();
        foreach (Match term in LabelTerm().Matches(labels ?? ""))
            selectors._terms.Add(LabelTest(term));
        foreach (var term in (fields ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries))
            selectors._terms.Add(FieldTest(kind, term));
        return selectors;
    }

    private static Func<JsonObject, bool> LabelTest(Match term)
    {
        var key = term.Groups["key"].Value;
        var op = term.Groups["op"].Value.Trim();
        var values = term.Groups["set"].Value.Split(',').Select(v => v.Trim()).ToHashSet(StringComparer.Ordinal);
        var value = term.Groups["value"].Value;
        var negated = term.Groups["not"].Length > 0;
        return item =>
        {
            var label = (string?)item["metadata"]?["labels"]?[key];
            return op switch
            {
                "in" => label is not null && values.Contains(label),
                "notin" => label is null || !values.Contains(label),
                "=" or "==" => label == value,
                "!=" => label != value,
                _ => label is null == negated,
            };
        };
    }

    private static Func<JsonObject, bool> FieldTest(ServedKind kind, string term)
    {
        var negated = term.Contains("!=", StringComparison.Ordinal);
        var parts = term.Split(negated ? "!=" : term.Contains("==", StringComparison.Ordinal) ? "==" : "=", 2);
        string[] known = kind.Kind switch
        {
            "Pod" => ["metadata.name", "metadata.namespace", "spec.nodeName", "spec.serviceAccountName", "status.phase", "status.podIP"],
            "Event" => ["metadata.name", "metadata.namespace", "involvedObject.name", "involvedObject.namespace", "involvedObject.kind", "involvedObject.uid", "reason", "type"],
            "Secret" => ["metadata.name", "metadata.namespace", "type"],
            "Namespace" => ["metadata.name", "status.phase"],
            _ => ["metadata.name", "metadata.namespace"],
        };
        if (parts.Length != 2 || !known.Contains(parts[0], StringComparer.Ordinal))
            throw ApiError.BadRequest($"field label not supported: {parts[0]}");
        var path = parts[0].Split('.');
        return item =>
        {
            JsonNode? node = item;
            foreach (var step in path)
                node = (node as JsonObject)?[step];
            return ((string?)node ?? "") == parts[1] != negated;
        };
    }

    [GeneratedRegex(@"(?<not>!)?(?<key>[A-Za-z0-9./_-]+)\s*((?<op>notin|in)\s*\((?<set>[^)]*)\)|(?<op>==|!=|=)\s*(?<value>[^,]*))?", RegexOptions.ExplicitCapture)]
    private static partial Regex LabelTerm();
}

using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

/// <summary>Adds to the faults of a document what its fields mean together.</summary>
internal delegate void DocumentRules(string kind, YamlMapping document, DocumentFaults faults);

/// <summary>What became of one document.</summary>
/// <param name="Line">1-based line of the file at which it begins.</param>
/// <param name="Key">Null: it could not be read far enough to know which object it is.</param>
/// <param name="Resource">Null: it is refused, or of a kind that means nothing to the mesh.</param>
/// <param name="Readable">What it says, also where its fields together are refused; null: not even that much.</param>
/// <param name="Problems">Errors are the reasons for a refusal; warnings do not refuse.</param>
/// <param name="RefusedByWebhook">
/// True if Istio's validating webhook would refuse it. A document may be refused without: by the schema of its kind, which a cluster checks first.
/// </param>
internal sealed record DecodedDocument(int Line, ResourceKey? Key, Resource? Resource, Resource? Readable, IReadOnlyList<Problem> Problems, bool RefusedByWebhook)
{
    /// <summary>Kind, namespace and name as they are written, whether they mean anything or not.</summary>
    public (string? Kind, string? Namespace, string? Name) Written { get; init; }

    public bool IsRefused => Problems.Any(p => p.Severity is ProblemSeverity.Error);
}

/// <summary>One parsed document to one typed resource, or to the reasons why not.</summary>
internal static class DocumentDecoder
{
    public static IEnumerable<DecodedDocument> Decode(YamlNode root, string file, DocumentRules rules)
    {
        if (root is not YamlMapping map)
            return [Refused(file, root.Line, null, $"the document is {root.Shape}, not an object", "write apiVersion, kind, metadata and spec")];
        if (Text(map, "kind") is "List" && map.Find("items") is YamlSequence items)
            return items.Items.SelectMany(item => Decode(item, file, rules));
        var metadata = map.Find("metadata") as YamlMapping;
        return [DecodeOne(map, file, rules) with { Written = (Text(map, "kind"), metadata is null ? null : Text(metadata, "namespace"), metadata is null ? null : Text(metadata, "name")) }];
    }

    private static DecodedDocument DecodeOne(YamlMapping map, string file, DocumentRules rules)
    {
        var kind = Text(map, "kind");
        var apiVersion = Text(map, "apiVersion");
        if (string.IsNullOrEmpty(kind) || string.IsNullOrEmpty(apiVersion))
            return Refused(file, map.Line, null, $"{(string.IsNullOrEmpty(kind) ? "kind" : "apiVersion")} is missing", "every document needs apiVersion, kind and metadata.name");

        var slash = apiVersion.IndexOf('/', StringComparison.Ordinal);
        var group = slash < 0 ? string.Empty : apiVersion[..slash];
        var known = KnownKinds.Find(group, kind);
        if (known is null)
            return Unknown(map, file, group, kind, apiVersion);
        if (!known.Versions.Contains(apiVersion[(slash + 1)..], StringComparer.Ordinal))
            return Refused(file, LineOf(map, "apiVersion"), IdentityOf(map, known), $"{kind} has no version {apiVersion}", $"use {string.Join(" or ", known.Versions.Select(v => group.Length == 0 ? v : $"{group}/{v}"))}");

        return DecodeKnown(map, file, known, rules, new DocumentFaults());
    }

    /// <summary>An object that an API server has stored: its schema and its webhooks have judged it, only what cannot be read is refused.</summary>
    public static DecodedDocument DecodeStored(YamlMapping map, string origin, KnownKind known) =>
        DecodeKnown(map, origin, known, (_, _, _) => { }, new DocumentFaults(ignoreUnknownFields: true));

    private static DecodedDocument DecodeKnown(YamlMapping map, string file, KnownKind known, DocumentRules rules, DocumentFaults faults)
    {
        var reader = new FieldReader(map, known.Kind, faults);
        reader.Ignore("apiVersion", "kind");
        var meta = reader.Object("metadata", r => MetaDecoder.Decode(r, known.Namespaced));
        if (meta is null)
        {
            reader.Ignore("metadata");
            faults.Add(map.Line, "metadata is missing", "add metadata with a name");
            meta = new ObjectMeta { Name = string.Empty };
        }
        var resource = known.Decode(meta, new DocumentPosition(file, map.Line), reader);
        reader.Close();
        var readable = faults.Items.Count == 0 ? resource : null;
        rules(known.Kind, map, faults);
        var key = IdentityOf(map, known);
        var name = key?.ToString() ?? known.Kind;
        return new DecodedDocument(map.Line, key, faults.Items.Count == 0 ? resource : null, readable,
            [
                .. faults.Items.Select(f => new Problem(file, f.Line, name, ProblemSeverity.Error, f.Reason, f.Fix)),
                .. faults.Warnings.Select(f => new Problem(file, f.Line, name, ProblemSeverity.Warning, f.Reason, f.Fix)),
            ],
            faults.RefusedByWebhook);
    }

    private static DecodedDocument Unknown(YamlMapping map, string file, string group, string kind, string apiVersion)
    {
        if (KnownKinds.IsAcceptedAndIgnored(group, kind))
            return new DecodedDocument(map.Line, null, null, null, [], RefusedByWebhook: false);
        if (KnownKinds.IsWithoutEffect(group, kind))
        {
            var warning = new Problem(file, LineOf(map, "kind"), kind, ProblemSeverity.Warning, $"{kind} is accepted and has no effect in this mesh", "remove it, or do not rely on it");
            return new DecodedDocument(map.Line, null, null, null, [warning], RefusedByWebhook: false);
        }
        var near = KnownKinds.Nearest(kind);
        return Refused(file, LineOf(map, "kind"), null, $"{kind} of {apiVersion} is a kind the mesh does not know", near is null ? "remove the document, or correct kind and apiVersion" : $"did you mean {near}?");
    }

    private static ResourceKey? IdentityOf(YamlMapping map, KnownKind known)
    {
        if (map.Find("metadata") is not YamlMapping meta || Text(meta, "name") is not { Length: > 0 } name)
            return null;
        var ns = Text(meta, "namespace");
        return new ResourceKey(known.Kind, known.Namespaced ? (string.IsNullOrEmpty(ns) ? MetaDecoder.DefaultNamespace : ns) : string.Empty, name);
    }

    private static DecodedDocument Refused(string file, int line, ResourceKey? key, string reason, string fix) =>
        new(line, key, null, null, [new Problem(file, line, key?.ToString() ?? string.Empty, ProblemSeverity.Error, reason, fix)], RefusedByWebhook: true);

    private static string? Text(YamlMapping map, string key) => map.Find(key) is YamlScalar { IsNull: false } scalar ? scalar.Text : null;

    private static int LineOf(YamlMapping map, string key) => map.Find(key)?.Line ?? map.Line;
}

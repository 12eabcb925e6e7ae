using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Sources.Documents;

/// <summary>What became of one document. Resource is null if it is refused or not for us; Key is known as soon as kind and name are.</summary>
internal sealed record DecodedDocument(int Line, ResourceKey? Key, Resource? Resource, IReadOnlyList<Problem> Problems);

/// <summary>One parsed document to one typed resource, or to the reasons why not.</summary>
internal static class DocumentDecoder
{
    public static IEnumerable<DecodedDocument> Decode(YamlNode root, string file)
    {
        if (root is not YamlMapping map)
            return [Refused(file, root.Line, null, $"the document is {root.Shape}, not an object", "write apiVersion, kind, metadata and spec")];
        if (Text(map, "kind") is "List" && map.Find("items") is YamlSequence items)
            return items.Items.SelectMany(item => Decode(item, file));
        return [DecodeOne(map, file)];
    }

    private static DecodedDocument DecodeOne(YamlMapping map, string file)
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

        return DecodeKnown(map, file, known);
    }

    private static DecodedDocument DecodeKnown(YamlMapping map, string file, KnownKind known)
    {
        var faults = new DocumentFaults();
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
        var key = IdentityOf(map, known);
        if (faults.Items.Count == 0)
            return new DecodedDocument(map.Line, key, resource, []);
        var name = key?.ToString() ?? known.Kind;
        return new DecodedDocument(map.Line, key, null,
            [.. faults.Items.Select(f => new Problem(file, f.Line, name, ProblemSeverity.Error, f.Reason, f.Fix))]);
    }

    private static DecodedDocument Unknown(YamlMapping map, string file, string group, string kind, string apiVersion)
    {
        if (KnownKinds.IsAcceptedAndIgnored(group, kind))
            return new DecodedDocument(map.Line, null, null, []);
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
        new(line, key, null, [new Problem(file, line, key?.ToString() ?? string.Empty, ProblemSeverity.Error, reason, fix)]);

    private static string? Text(YamlMapping map, string key) => map.Find(key) is YamlScalar { IsNull: false } scalar ? scalar.Text : null;

    private static int LineOf(YamlMapping map, string key) => map.Find(key)?.Line ?? map.Line;
}

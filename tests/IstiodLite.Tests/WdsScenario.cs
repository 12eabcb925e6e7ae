using System.Collections;
using System.Text;
using System.Text.Json.Nodes;
using Mesh.IstiodLite.Admin;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Files;
using Mesh.IstiodLite.Translation;

namespace Mesh.IstiodLite.Tests;

/// <summary>One recorded scenario of the real istiod: its input, and what it answered.</summary>
internal sealed record WdsScenario(string Name, string Folder)
{
    public Translated Translate()
    {
        var file = ParsedFile.Parse(Name + "/input.yaml", File.ReadAllBytes(Path.Combine(Folder, "input.yaml")));
        // Some of the recorded states hold what a webhook would not have let in.
        Assert.All(file.Documents, d => Assert.True(d.Readable is not null || !d.IsRefused, string.Join('\n', d.Problems.Select(p => $"{p.File}:{p.Line} {p.Document}: {p.Reason}"))));
        var environment = new Hashtable(StringComparer.Ordinal);
        if (Read("flags.json") is JsonObject flags)
        {
            foreach (var flag in flags)
                environment[flag.Key] = (string?)flag.Value;
        }
        var errors = new List<string>();
        var settings = MeshSettings.FromEnvironment(environment, errors);
        Assert.Empty(errors);
        return MeshTranslator.Translate(new ResourceSet(file.Documents.Select(d => d.Readable).OfType<Resource>()), settings, AddressBook.Empty);
    }

    public JsonNode? Read(string file)
    {
        var path = Path.Combine(Folder, file);
        return File.Exists(path) ? JsonNode.Parse(File.ReadAllText(path)) : null;
    }

    /// <summary>Differences between what was recorded and what we make, one line each; empty: equal.</summary>
    public List<string> Compare()
    {
        var translated = Translate();
        var expected = new Dictionary<string, JsonNode>(StringComparer.Ordinal);
        var actual = new Dictionary<string, JsonNode>(StringComparer.Ordinal);
        Collect(expected, "address", Read("addresses.json") as JsonArray, n => (string)n["name"]!);
        Collect(expected, "authorization", Read("authorizations.json") as JsonArray, n => (string)n["name"]!);
        Collect(expected, "status", Read("status.json") as JsonArray, StatusName);
        Collect(actual, "address", TranslationJson.Addresses(translated), n => (string)n["name"]!);
        Collect(actual, "authorization", TranslationJson.Authorizations(translated), n => (string)n["name"]!);
        Collect(actual, "status", TranslationJson.Statuses(translated), StatusName);
        var expectedAddresses = AllocatedAddresses(expected);
        var actualAddresses = AllocatedAddresses(actual);
        var differences = new List<string>();
        foreach (var key in expected.Keys.Union(actual.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            if (!actual.TryGetValue(key, out var ours))
                differences.Add($"{key}: missing");
            else if (!expected.TryGetValue(key, out var theirs))
                differences.Add($"{key}: not expected: {Canonical(ours, actualAddresses)}");
            else if (Canonical(theirs, expectedAddresses) is var a && Canonical(ours, actualAddresses) is var b && a != b)
                differences.Add($"{key}:\n    recorded {a}\n    ours     {b}");
        }
        return differences;
    }

    private static string StatusName(JsonNode n) => $"{n["kind"]} {n["namespace"]}/{n["name"]} by {n["writer"]}";

    private static void Collect(Dictionary<string, JsonNode> into, string prefix, JsonArray? array, Func<JsonNode, string> name)
    {
        foreach (var node in array ?? [])
            into[$"{prefix} {name(node!)}"] = node!;
    }

    /// <summary>
    /// Which address of the pools belongs to which host: the numbers depend on the order in which an allocator sees the hosts, so both sides are
    /// compared with the host's name in their place.
    /// </summary>
    private static Dictionary<string, string> AllocatedAddresses(Dictionary<string, JsonNode> entries)
    {
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, node) in entries)
        {
            if (!key.EndsWith("by ip-autoallocate", StringComparison.Ordinal))
                continue;
            foreach (var address in node["status"]!["addresses"]!.AsArray())
            {
                var text = (string)address!["value"]!;
                var family = text.Contains(':', StringComparison.Ordinal) ? "v6" : "v4";
                var label = $"<{node["namespace"]}/{node["name"]} {address["host"]} {family}>";
                Assert.True(names.TryAdd(text, label), $"{text} was given out twice");
                Assert.True(text.StartsWith("240.240.", StringComparison.Ordinal) || text.StartsWith("2001:2::", StringComparison.Ordinal), $"{text} is outside the pools");
                names["/" + text] = "/" + label;
                names[Convert.ToBase64String(System.Net.IPAddress.Parse(text).GetAddressBytes())] = label;
            }
        }
        return names;
    }

    private static string Canonical(JsonNode? node, Dictionary<string, string> names)
    {
        var text = new StringBuilder();
        Write(node, text, names, null);
        return text.ToString();
    }

    private static void Write(JsonNode? node, StringBuilder text, Dictionary<string, string> names, string? property)
    {
        switch (node)
        {
            case JsonObject map:
                text.Append('{');
                foreach (var (key, value) in map.OrderBy(p => p.Key, StringComparer.Ordinal))
                {
                    text.Append(key).Append(':');
                    Write(value, text, names, key);
                    text.Append(' ');
                }
                text.Append('}');
                break;
            case JsonArray array:
                text.Append('[');
                var items = array.Select(i =>
                {
                    var item = new StringBuilder();
                    Write(i, item, names, null);
                    return item.ToString();
                });
                text.AppendJoin(',', property is "aliases" ? items.Order(StringComparer.Ordinal) : items);
                text.Append(']');
                break;
            case JsonValue value when value.TryGetValue<string>(out var s) && names.TryGetValue(s, out var name):
                text.Append(name);
                break;
            default:
                text.Append(node?.ToJsonString() ?? "null");
                break;
        }
    }
}

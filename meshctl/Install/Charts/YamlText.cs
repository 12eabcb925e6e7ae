using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Mesh.Meshctl.Install.Charts;

/// <summary>Values as YAML in block form with sorted keys, as Helm's toYaml writes them; and YAML as values.</summary>
internal static partial class YamlText
{
    public static string Write(JsonNode? node)
    {
        var output = new StringBuilder();
        Write(node, 0, output);
        return output.ToString().TrimEnd('\n');
    }

    public static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject map => new JsonObject(map.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => KeyValuePair.Create(e.Key, Sorted(e.Value)))),
        JsonArray list => new JsonArray([.. list.Select(Sorted)]),
        _ => node?.DeepClone(),
    };

    private static void Write(JsonNode? node, int depth, StringBuilder output)
    {
        switch (node)
        {
            case JsonObject { Count: > 0 } map:
                foreach (var (key, value) in map.OrderBy(e => e.Key, StringComparer.Ordinal))
                {
                    output.Append(' ', depth).Append(Scalar(JsonValue.Create(key))).Append(':');
                    Child(value, value is JsonArray ? depth : depth + 2, output);
                }

                break;
            case JsonArray { Count: > 0 } list:
                foreach (var item in list)
                {
                    output.Append(' ', depth).Append('-');
                    if (item is JsonObject { Count: > 0 } or JsonArray { Count: > 0 })
                    {
                        var nested = new StringBuilder();
                        Write(item, depth + 2, nested);
                        output.Append(' ').Append(nested.ToString().AsSpan(depth + 2));
                    }
                    else
                    {
                        output.Append(' ').Append(Scalar(item)).Append('\n');
                    }
                }

                break;
            default:
                output.Append(Scalar(node)).Append('\n');
                break;
        }
    }

    private static void Child(JsonNode? value, int depth, StringBuilder output)
    {
        if (value is JsonObject { Count: > 0 } or JsonArray { Count: > 0 })
        {
            output.Append('\n');
            Write(value, depth, output);
        }
        else
        {
            output.Append(' ').Append(Scalar(value)).Append('\n');
        }
    }

    private static string Scalar(JsonNode? node) => node switch
    {
        null => "null",
        JsonObject => "{}",
        JsonArray => "[]",
        JsonValue value when value.GetValueKind() is JsonValueKind.String => PlainWord().IsMatch(value.GetValue<string>()) && !OtherType().IsMatch(value.GetValue<string>())
            ? value.GetValue<string>()
            : JsonSerializer.Serialize(value.GetValue<string>()),
        _ => node.ToJsonString(),
    };

    [GeneratedRegex(@"^[A-Za-z/][A-Za-z0-9_./\-]*( [A-Za-z0-9_./\-]+)*$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex PlainWord();

    // Without quotes these would be read back as booleans or null.
    [GeneratedRegex("^(y|n|yes|no|on|off|true|false|null)$", RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 1000)]
    private static partial Regex OtherType();
}

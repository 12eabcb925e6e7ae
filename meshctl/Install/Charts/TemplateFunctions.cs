using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Mesh.Meshctl.Install.Charts;

/// <summary>The functions of Helm's templates that the mesh's chart uses, with Helm's meaning.</summary>
internal static class TemplateFunctions
{
    /// <summary>The value of a call whose value is nothing.</summary>
    public static readonly object Nothing = new();

    private static readonly JsonSerializerOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly Dictionary<string, Func<List<object?>, object?>> All = new(StringComparer.Ordinal)
    {
        ["quote"] = a => a is [var value] ? JsonSerializer.Serialize(Text(value), Plain) : null,
        ["default"] = a => a is [var fallback, var value] ? (IsTrue(value) ? value : fallback) ?? Nothing : null,
        ["toYaml"] = a => a is [var value] ? YamlText.Write(value as JsonNode) : null,
        ["toJson"] = a => a is [var value] ? Json(value) : null,
        ["indent"] = a => a is [long count, { } text] ? Indent(Text(text), (int)count) : null,
        ["nindent"] = a => a is [long count, { } text] ? "\n" + Indent(Text(text), (int)count) : null,
        ["not"] = a => a is [var value] ? !IsTrue(value) : null,
        ["eq"] = a => a is [var one, var two] ? Text(one) == Text(two) : null,
        ["and"] = a => a.Count > 0 ? a.Append(a[^1]).First(v => !IsTrue(v) || ReferenceEquals(v, a[^1])) ?? Nothing : null,
        ["or"] = a => a.Count > 0 ? a.Find(IsTrue) ?? a[^1] ?? Nothing : null,
        ["join"] = a => a is [var between, JsonArray list] ? string.Join(Text(between), list.Select(Text)) : null,
        ["include"] = _ => null,
    };

    public static string Names => string.Join(", ", All.Keys.Order(StringComparer.Ordinal));

    public static bool Knows(string name) => All.ContainsKey(name);

    /// <returns>Null: not with these arguments.</returns>
    public static object? Call(string name, List<object?> arguments) => All[name](arguments);

    /// <summary>As Go's templates see it: false, zero, and everything empty is not.</summary>
    public static bool IsTrue(object? value) => value switch
    {
        null => false,
        bool flag => flag,
        string text => text.Length > 0,
        long number => number != 0,
        JsonArray list => list.Count > 0,
        JsonObject map => map.Count > 0,
        JsonValue scalar => scalar.GetValueKind() switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False or JsonValueKind.Null => false,
            JsonValueKind.Number => scalar.ToJsonString() is not ("0" or "0.0"),
            _ => scalar.GetValue<string>().Length > 0,
        },
        _ => true,
    };

    public static string Text(object? value) => value switch
    {
        null => string.Empty,
        string text => text,
        bool flag => flag ? "true" : "false",
        long number => number.ToString(CultureInfo.InvariantCulture),
        JsonValue scalar when scalar.GetValueKind() is JsonValueKind.String => scalar.GetValue<string>(),
        JsonNode node => node.ToJsonString(Plain),
        _ => value.ToString() ?? string.Empty,
    };

    private static string Indent(string text, int count)
    {
        var pad = new string(' ', count);
        return pad + text.Replace("\n", "\n" + pad, StringComparison.Ordinal);
    }

    // Go sorts the keys of a map.
    private static string Json(object? value) => value is JsonNode node ? YamlText.Sorted(node)!.ToJsonString(Plain) : JsonSerializer.Serialize(Text(value), Plain);
}

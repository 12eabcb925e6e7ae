using System.Globalization;
using System.Text.Json.Nodes;

using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Mesh.Meshctl.Install.Charts;

/// <summary>YAML as JSON values, by the rules of YAML 1.2's core schema: only plain scalars can be numbers, booleans or null.</summary>
internal static class YamlReader
{
    /// <exception cref="ChartException">It is not YAML.</exception>
    public static List<JsonNode?> Documents(string file, string text)
    {
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(text));
            return [.. stream.Documents.Select(d => Node(d.RootNode)).Where(n => n is not null)];
        }
        catch (YamlException e)
        {
            throw new ChartException($"{file}:{e.Start.Line}: this is not YAML: {e.InnerException?.Message ?? e.Message}");
        }
    }

    public static JsonObject Map(string file, string text) => Documents(file, text) switch
    {
        [] => [],
        [JsonObject map] => map,
        _ => throw new ChartException($"{file}: one map is expected"),
    };

    private static JsonNode? Node(YamlNode node) => node switch
    {
        YamlMappingNode map => new JsonObject(map.Children.Select(c => KeyValuePair.Create(((YamlScalarNode)c.Key).Value ?? string.Empty, Node(c.Value)))),
        YamlSequenceNode list => new JsonArray([.. list.Children.Select(Node)]),
        YamlScalarNode scalar => Scalar(scalar),
        _ => null,
    };

    /// <summary>The value of a word without quotes, as a person writes it after <c>--set</c>, too.</summary>
    public static JsonNode? Plain(string text) => text switch
    {
        "" or "~" or "null" => null,
        "true" => JsonValue.Create(true),
        "false" => JsonValue.Create(false),
        _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => JsonValue.Create(whole),
        _ when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) => JsonValue.Create(number),
        _ => JsonValue.Create(text),
    };

    private static JsonNode? Scalar(YamlScalarNode scalar) => scalar.Style is ScalarStyle.Plain ? Plain(scalar.Value ?? string.Empty) : JsonValue.Create(scalar.Value ?? string.Empty);
}

using System.Text.Json.Nodes;

using Mesh.Meshctl.Install.Charts;

namespace Mesh.Meshctl.Tests.Install;

/// <summary>The template language against what Helm itself prints for the same text (Go's text/template with sprig's functions).</summary>
public sealed class TemplateTests
{
    private static readonly JsonObject Root = YamlReader.Map("values", """
        Values:
          name: web
          empty: ""
          zero: 0
          enabled: true
          list: [b, a]
          map: {z: 1, a: two words, nest: {x: "true"}}
        """);

    [Theory]
    [InlineData("{{ .Values.name }}", "web")]
    [InlineData("{{ .Values.name | quote }}", "\"web\"")]
    [InlineData("{{ .Values.enabled | quote }}", "\"true\"")]
    [InlineData("{{ .Values.missing | default \"d\" }}", "d")]
    [InlineData("{{ .Values.empty | default .Values.name }}", "web")]
    [InlineData("a  {{- /* not seen */ -}}  b", "ab")]
    [InlineData("a  {{- .Values.name -}}  b", "awebb")]
    [InlineData("a  {{- .Values.name }}  b", "aweb  b")]
    [InlineData("{{ if .Values.zero }}x{{ else if .Values.enabled }}y{{ else }}z{{ end }}", "y")]
    [InlineData("{{ if and .Values.enabled .Values.empty }}x{{ else }}z{{ end }}", "z")]
    [InlineData("{{ if or .Values.empty .Values.list }}x{{ end }}", "x")]
    [InlineData("{{ if not .Values.map }}x{{ end }}", "")]
    [InlineData("{{ if eq .Values.name \"web\" }}x{{ end }}", "x")]
    [InlineData("{{ with .Values.map }}{{ .a }} {{ $.Values.name }}{{ end }}", "two words web")]
    [InlineData("{{ with .Values.empty }}x{{ else }}y{{ end }}", "y")]
    [InlineData("{{ range .Values.list }}[{{ . }}]{{ end }}", "[b][a]")]
    [InlineData("{{ range $k, $v := .Values.map.nest }}{{ $k }}={{ $v }}{{ end }}", "x=true")]
    [InlineData("{{ range .Values.missing }}x{{ else }}none{{ end }}", "none")]
    [InlineData("{{ .Values.list | toYaml | nindent 2 }}", "\n  - b\n  - a")]
    [InlineData("{{ toYaml .Values.map | indent 1 }}", " a: two words\n nest:\n   x: \"true\"\n z: 1")]
    [InlineData("{{ .Values.map.nest | toJson | quote }}", "\"{\\\"x\\\":\\\"true\\\"}\"")]
    [InlineData("{{ define \"t\" }}<{{ .Values.name }}>{{ end }}{{ include \"t\" . | quote }}", "\"<web>\"")]
    public void Run_OfOneTemplate_PrintsWhatHelmPrints(string template, string expected) => Assert.Equal(expected, Run(template));

    [Theory]
    [InlineData("{{ .Values.name ", "never closed")]
    [InlineData("{{ if .Values.enabled }}x", "never closed with")]
    [InlineData("a\n{{ end }}", "t.yaml:2: ")]
    [InlineData("{{ lookup \"v1\" }}", "no function that charts of the mesh may use")]
    [InlineData("{{ .Values.name.deeper.still }}", "no map above it")]
    [InlineData("{{ include \"nobody\" . }}", "which no template defines")]
    [InlineData("{{ $x }}", "no variable $x")]
    public void Run_OfAWrongTemplate_NamesFileLineAndReason(string template, string reason)
    {
        var refused = Assert.Throws<ChartException>(() => Run(template));
        Assert.StartsWith("t.yaml:", refused.Message, StringComparison.Ordinal);
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
    }

    private static string Run(string template)
    {
        var definitions = new Dictionary<string, IReadOnlyList<TemplateNode>>(StringComparer.Ordinal);
        var nodes = new TemplateParser("t.yaml", definitions).Parse(template);
        return new TemplateEvaluator(Root, definitions).Run("t.yaml", nodes);
    }
}

using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mesh.IstiodLite.Resources;

namespace Mesh.IstiodLite.Commands;

/// <summary>What the commands about documents print with.</summary>
internal static class CommandOutput
{
    public const string Json = "json";
    public const string Text = "text";

    private static readonly JsonSerializerOptions _json = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static bool IsKnown(string output, TextWriter error)
    {
        if (output is Json or Text)
            return true;
        error.WriteLine($"istiod-lite: --output is \"{output}\"; write json or text");
        return false;
    }

    public static void Write(TextWriter output, JsonNode json) => output.WriteLine(json.ToJsonString(_json));

    public static void Write(TextWriter output, IEnumerable<Problem> problems)
    {
        foreach (var problem in Problem.Sort(problems))
            output.WriteLine($"{problem.File}:{problem.Line} {Word(problem.Severity)}: {(problem.Document.Length > 0 ? $"{problem.Document}: " : string.Empty)}{problem.Reason}; {problem.Fix}");
    }

    public static string Word(ProblemSeverity severity) => severity is ProblemSeverity.Error ? "error" : "warning";
}

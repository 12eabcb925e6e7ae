using System.Text.Encodings.Web;
using System.Text.Json;
using Mesh.IstiodLite.Admin;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Files;
using Mesh.IstiodLite.Translation;
using Mesh.Runtime;

namespace Mesh.IstiodLite.Commands;

/// <summary>istiod-lite translate: documents in, what clients would be sent out.</summary>
internal static class TranslateCommand
{
    private static readonly JsonSerializerOptions _json = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static int Execute(TranslateOptions options, TextWriter output, TextWriter error)
    {
        var errors = new List<string>();
        if (options.Output is not "json")
            errors.Add($"--output is \"{options.Output}\"; json is the only format");
        var settings = MeshSettings.FromEnvironment(Environment.GetEnvironmentVariables(), errors) with { Standalone = !options.Cluster };
        errors.AddRange(options.Paths.Where(p => !File.Exists(p) && !Directory.Exists(p)).Select(p => $"{p} does not exist"));
        if (errors.Count > 0)
        {
            errors.ForEach(e => error.WriteLine($"istiod-lite: {e}"));
            return ExitCodes.Usage;
        }

        var files = options.Paths.SelectMany(ConfigFiles.Enumerate).Distinct(StringComparer.Ordinal).Select(p => ParsedFile.Parse(p, File.ReadAllBytes(p))).ToList();
        var translated = MeshTranslator.Translate(new ResourceSet(files.SelectMany(f => f.Resources)), settings, AddressBook.Empty);
        var json = TranslationJson.Of(translated);
        var problems = files.SelectMany(f => f.Problems).Concat(translated.Problems).ToList();
        json["problems"] = TranslationJson.Problems(problems);
        output.WriteLine(json.ToJsonString(_json));
        return problems.Exists(p => p.Severity is ProblemSeverity.Error) ? ExitCodes.Data : ExitCodes.Ok;
    }
}

using Mesh.IstiodLite.Sources.Files;
using Mesh.IstiodLite.Sources.Yaml;

namespace Mesh.IstiodLite.Commands;

/// <summary>The documents that a command line names: files, folders, or "-" for standard input.</summary>
internal static class DocumentInput
{
    private const string StandardInput = "-";

    /// <summary>Null: a path is wrong, and was named on <paramref name="error"/>.</summary>
    public static IReadOnlyList<ParsedFile>? Read(IEnumerable<string> paths, TextWriter error)
    {
        var files = new List<ParsedFile>();
        var wrong = false;
        foreach (var path in paths.Distinct(StringComparer.Ordinal))
        {
            try
            {
                if (path is StandardInput)
                    files.Add(ParsedFile.Parse("(standard input)", ReadAll(Console.OpenStandardInput())));
                else if (Directory.Exists(path) || File.Exists(path))
                    files.AddRange(ConfigFiles.Enumerate(path).Select(Parse));
                else
                    throw new FileNotFoundException($"{path} does not exist");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                error.WriteLine($"istiod-lite: {e.Message}");
                wrong = true;
            }
        }
        if (!wrong && files.TrueForAll(f => f.Documents.Count == 0))
            error.WriteLine($"istiod-lite: there is no document in {string.Join(", ", paths)}; a folder's files count if their names end in .yaml, .yml or .json");
        return wrong ? null : files;
    }

    private static ParsedFile Parse(string path)
    {
        using var stream = File.OpenRead(path);
        return ParsedFile.Parse(path, ReadAll(stream));
    }

    private static byte[] ReadAll(Stream stream)
    {
        using var content = new MemoryStream();
        var buffer = new byte[64 * 1024];
        for (int read; (read = stream.Read(buffer)) > 0;)
        {
            content.Write(buffer, 0, read);
            if (content.Length > YamlLimits.MaxFileBytes)
                throw new IOException($"more than {YamlLimits.MaxFileBytes:N0} bytes are more than one file may have; split it");
        }
        return content.ToArray();
    }
}

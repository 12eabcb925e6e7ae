using System.Text;
using System.Text.Json.Nodes;

namespace Mesh.Kubernetes.Tests.Replay;

/// <summary>A recording of the real API server: requests and the exact bytes of its answers.</summary>
internal sealed record Transcript(string Name, IReadOnlyList<TranscriptStep> Steps)
{
    public static Transcript Load(string name)
    {
        var root = JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", name + ".json")))!;
        return new Transcript(name, [.. root["steps"]!.AsArray().Where(s => s!["response"] is not null).Select(s => new TranscriptStep(s!))]);
    }

    public static IEnumerable<string> All =>
        Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Fixtures"), "*.json", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(Path.Combine(AppContext.BaseDirectory, "Fixtures"), f)[..^5].Replace('\\', '/')).Order(StringComparer.Ordinal);

    public TranscriptStep this[string label] => Steps.First(s => s.Label == label);

    public TranscriptStep First(Func<TranscriptStep, bool> filter) => Steps.First(filter);
}

internal sealed class TranscriptStep(JsonNode step)
{
    public string Label => (string?)step["label"] ?? "";
    public string Method => (string)step["request"]!["method"]!;
    public string PathAndQuery => (string)step["request"]!["path"]!;
    public string Path => PathAndQuery.Split('?')[0];
    public bool IsWatch => PathAndQuery.Contains("watch=true", StringComparison.Ordinal);
    public string? RequestBody => (string?)step["request"]!["body"];
    public int Status => (int)step["response"]!["status"]!;

    /// <summary>Bodies that the recorder shortened cannot be played.</summary>
    public bool IsWhole => step["response"]!["body_truncated"] is null && step["response"]!["body_base64"] is null && Chunks.All(c => c["base64"] is null);

    /// <summary>The recorder hung up, the server would have gone on.</summary>
    public bool EndsOpen => ((string?)step["response"]!["ended"] ?? "").Contains("recorder", StringComparison.Ordinal);

    public string Body => step["response"]!["chunks"] is JsonArray ? string.Concat(Chunks.Select(c => (string?)c["text"])) : (string?)step["response"]!["body"] ?? "";

    private IEnumerable<JsonNode> Chunks => (step["response"]!["chunks"] as JsonArray ?? []).Select(c => c!);

    /// <summary>The answer byte for byte, one piece per chunk as it was on the wire.</summary>
    public IEnumerable<byte[]> Wire()
    {
        var response = step["response"]!;
        var head = new StringBuilder((string)response["status_line"]!).Append("\r\n");
        foreach (var header in response["headers"]!.AsArray())
            head.Append((string)header![0]!).Append(": ").Append((string)header[1]!).Append("\r\n");
        yield return Encoding.UTF8.GetBytes(head.Append("\r\n").ToString());
        if ((string?)response["framing"] != "chunked")
        {
            yield return Encoding.UTF8.GetBytes((string?)response["body"] ?? "");
            yield break;
        }
        var texts = response["chunks"] is JsonArray ? Chunks.Select(c => (string)c["text"]!) : [(string?)response["body"] ?? ""];
        foreach (var chunk in texts.Where(t => t.Length > 0).Select(Encoding.UTF8.GetBytes))
            yield return [.. Encoding.ASCII.GetBytes($"{chunk.Length:x}\r\n"), .. chunk, .. "\r\n"u8];
        if (!EndsOpen)
            yield return [.. "0\r\n\r\n"u8];
    }
}

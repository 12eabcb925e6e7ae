using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Mesh.Runtime.Logging;
using Mesh.Testing;

namespace Mesh.Runtime.Tests.Logging;

/// <summary>Every recorded line is taken apart, logged again through the sink, and must come out byte for byte the same.</summary>
public sealed partial class RecordedLineTests
{
    [Fact]
    public void TextLines_LoggedAgain_AreTheSameBytes()
    {
        var recorded = Fixture.Read("access.txt").Split('\n').Where(l => l.Length > 0 && l[0] != '#').ToList();
        Assert.True(recorded.Count > 60);
        foreach (var line in recorded)
            Assert.Equal(line + "\n", Text(line));
    }

    [Fact]
    public void JsonLines_LoggedAgain_HaveTheSameMembersInTheSameOrder()
    {
        using var document = JsonDocument.Parse(Fixture.Read("access.json"));
        var recorded = document.RootElement.EnumerateArray().SelectMany(c => c.GetProperty("lines").EnumerateArray()).ToList();
        Assert.True(recorded.Count > 60);
        foreach (var line in recorded)
        {
            using var ours = JsonDocument.Parse(Json(line));
            Assert.Equal(Compact(line), Compact(ours.RootElement));
        }
    }

    private static string Text(string line)
    {
        var parts = line.Split('\t');
        var where = Where().Match(parts[2]);
        var target = where.Groups["target"].Value;
        if (target is not ("access" or "dns"))
            target = "ztunnel::" + target;
        LogSpan? span = null;
        foreach (Match s in SpanText().Matches(where.Groups["spans"].Value))
            span = span is null ? new LogSpan(s.Groups[1].Value, (s.Groups[2].Value, s.Groups[3].Value)) : span.Inside(s.Groups[1].Value, (s.Groups[2].Value, s.Groups[3].Value));
        return Logged(LogFormat.Text, parts[0], parts[1], target, span, parts.Length > 4 ? parts[3] : string.Empty, e =>
        {
            foreach (Match field in Field().Matches(parts[^1]))
            {
                var (key, value) = (field.Groups[1].Value, field.Groups[2].Value);
                if (value[0] == '"')
                    e.Text(key, Regex.Unescape(value[1..^1]));
                else if (long.TryParse(value, CultureInfo.InvariantCulture, out var number))
                    e.Number(key, number);
                else
                    e.Address(key, System.Net.IPEndPoint.Parse(value));
            }
        });
    }

    private static string Json(JsonElement line)
    {
        LogSpan? span = null;
        foreach (var member in line.EnumerateObject().Where(m => m.Value.ValueKind == JsonValueKind.Object))
        {
            var field = member.Value.EnumerateObject().Single();
            object value = field.Value.ValueKind == JsonValueKind.Number ? field.Value.GetInt64() : field.Value.GetString()!;
            span = span is null ? new LogSpan(member.Name, (field.Name, value)) : span.Inside(member.Name, (field.Name, value));
        }

        return Logged(
            LogFormat.Json, line.GetProperty("time").GetString()!, line.GetProperty("level").GetString()!, line.GetProperty("scope").GetString()!, span,
            line.TryGetProperty("message", out var message) ? message.GetString()! : string.Empty, e =>
            {
                foreach (var member in line.EnumerateObject().Where(m => m.Name is not ("time" or "level" or "scope" or "message")))
                {
                    if (member.Value.ValueKind == JsonValueKind.Number)
                        e.Number(member.Name, member.Value.GetInt64());
                    else if (member.Value.ValueKind == JsonValueKind.String)
                        e.Text(member.Name, member.Value.GetString());
                }
            });
    }

    private static string Logged(LogFormat format, string time, string level, string target, LogSpan? span, string message, Action<LogEvent> fields)
    {
        var clock = new ManualTimeProvider(DateTimeOffset.Parse(time, CultureInfo.InvariantCulture));
        Assert.True(LogFilter.TryParse("trace", out var everything, out _));
        using var output = new MemoryStream();
        using (var sink = new LogSink(output, format, everything, clock))
        {
            var log = sink.For(target);
            if (span is not null)
                log = log.Within(span);
            var line = log.Event(Enum.Parse<LogSeverity>(level, ignoreCase: true), message);
            fields(line);
            line.Write();
        }

        return Encoding.UTF8.GetString(output.ToArray());
    }

    private static string Compact(JsonElement element)
    {
        using var output = new MemoryStream();
        using (var writer = new Utf8JsonWriter(output))
            element.WriteTo(writer);
        return Encoding.UTF8.GetString(output.ToArray());
    }

    [GeneratedRegex(@"^(?<target>.*?)(?<spans>(?<!:):[a-z_]+\{.*)?$", RegexOptions.ExplicitCapture)]
    private static partial Regex Where();

    [GeneratedRegex(@":([a-z_]+)\{([a-z_]+)=([^}]*)\}")]
    private static partial Regex SpanText();

    [GeneratedRegex(@"([a-z._]+)=(""(?:[^""\\]|\\.)*""|\S+)")]
    private static partial Regex Field();
}

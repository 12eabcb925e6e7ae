using System.Globalization;
using System.Text;

namespace Mesh.Meshctl.Why;

/// <summary>A connection for a tired person: the verdict first, then the hops in the order in which the bytes went.</summary>
internal static class StoryText
{
    public static string Render(ConnectionStory story)
    {
        var text = new StringBuilder();
        var explanation = Explanation.Of(story);
        text.Append(CultureInfo.InvariantCulture, $"{story.Began.ToLocalTime():yyyy-MM-dd HH:mm:ss.fff}  {story.Client} -> {story.Destination}  {story.Cause.Ending}\n");
        text.Append("  why: ").Append(explanation.Reason).Append('\n');
        if (explanation.Action is { } action)
            text.Append("  do:  ").Append(action).Append('\n');
        for (var i = 0; i < story.Hops.Count; i++)
            Append(text, i + 1, story.Hops[i]);
        if (story.Id is { } id)
            text.Append("  trace ").Append(id).Append('\n');
        return text.ToString();
    }

    private static void Append(StringBuilder text, int number, Hop hop)
    {
        text.Append(CultureInfo.InvariantCulture, $"  {number}. {hop.Proxy}{(hop.Where == hop.Proxy || hop.Proxy.EndsWith(hop.Where, StringComparison.Ordinal) ? string.Empty : $" on {hop.Where}")}, {hop.Direction}: {hop.Ending}\n");
        void Line(string name, string? value)
        {
            if (!string.IsNullOrWhiteSpace(value))
                text.Append("       ").Append(name.PadRight(9)).Append(value).Append('\n');
        }

        Line("from", Words(hop.Text("src.addr"), hop.Text("src.workload"), hop.Text("src.identity") ?? "without an identity", hop.Text("src.client_identity") is { } client ? $"for {client}" : null));
        Line("request", Words(hop.Text("method"), hop.Text("authority"), hop.Text("path"), Number(hop, "status") ?? Number(hop, "response_code"), hop.Text("response_flags")));
        Line("to", Words(hop.Text("dst.original"), hop.Text("dst.service"), hop.Text("dst.workload"), hop.Text("dst.identity")));
        Line("route", Route(hop));
        Line("policy", hop.Text("policy"));
        foreach (var step in hop.Texts("steps"))
            Line("tried", step);
        Line("error", hop.Text("error"));
        Line("bytes", $"{hop.Number("bytes_forwarded") ?? 0:0} from the client, {hop.Number("bytes_returned") ?? 0:0} to it");
        Line("time", Times(hop));
    }

    private static string? Route(Hop hop)
    {
        if (hop.Text("dst.addr") is not { } next || hop.Direction == "inbound")
            return null;
        var tunnel = hop.Text("tunnel") is { } kind ? $"{kind} tunnel" : null;
        var made = hop.Number("tls_ms") is { } tls ? $"(TCP {Explanation.Span(hop.Number("tcp_ms"))}, TLS {Explanation.Span(tls)})" : null;
        return Words(hop.Text("route"), "by", next, tunnel, made);
    }

    private static string Times(Hop hop)
    {
        var parts = new (string Name, string What)[]
        {
            ("decide_ms", "to decide"), ("connect_ms", "to connect"), ("first_byte_ms", "to the first answer"), ("idle_ms", "silent at the end"), ("total_ms", "in all"),
        };
        var said = string.Join(", ", parts.Where(p => hop.Number(p.Name) is not null).Select(p => $"{Explanation.Span(hop.Number(p.Name))} {p.What}"));
        return hop.Number("snapshot") is { } snapshot ? $"{said}; configuration {snapshot:0}" : said;
    }

    private static string? Number(Hop hop, string name) => hop.Number(name)?.ToString("0", CultureInfo.InvariantCulture);

    private static string Words(params string?[] words) => string.Join("  ", words.Where(w => !string.IsNullOrEmpty(w)));
}

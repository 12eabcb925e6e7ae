using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Mesh.Model.Expressions;

namespace Mesh.Waypoint.Telemetry.AccessLogs;

/// <summary>A line of the access log in a form that the user wrote: Envoy's format strings as text, or as the values of a JSON object. Compiled once.</summary>
internal sealed class LogLineFormat
{
    private readonly LogFormatPart[]? _text;
    private readonly (string Name, LogFormatPart[] Parts)[] _fields = [];

    // What stands for a value that is absent; null: nothing does, and a field without one is left out.
    private readonly string? _absent;

    private LogLineFormat(LogFormatPart[]? text, (string Name, LogFormatPart[] Parts)[] fields, bool omitEmpty) =>
        (_text, _fields, _absent) = (text, fields, omitEmpty ? null : "-");

    /// <param name="omitEmpty">An absent value is no text instead of a dash; alone in a field of JSON it takes the field with it instead of being null.</param>
    /// <exception cref="ConfigurationException">A command that is not known, or a percent sign that stands alone.</exception>
    public static LogLineFormat OfText(string format, bool omitEmpty = false) => new(Parse(format.TrimEnd('\n')), [], omitEmpty);

    /// <exception cref="ConfigurationException">As <see cref="OfText"/>.</exception>
    public static LogLineFormat OfFields(IEnumerable<(string Name, string Format)> fields, bool omitEmpty = false) =>
        new(null, [.. fields.Select(f => (f.Name, Parse(f.Format)))], omitEmpty);

    /// <returns>Without the line's end. No character of a client's can end it either.</returns>
    public string Render(Exchange exchange, TimeSpan duration, DateTimeOffset now)
    {
        var facts = new LogFacts(exchange, duration, now - duration);
        if (_text is null)
            return Json(facts);
        var line = new StringBuilder(256);
        foreach (var part in _text)
            Append(line, part.Literal ?? LogValues.Of(part, facts) ?? _absent);
        return line.ToString();
    }

    private static LogFormatPart[] Parse(string format)
    {
        try
        {
            return LogFormatPart.Parse(format);
        }
        catch (ExpressionException e)
        {
            throw new ConfigurationException(e.Message);
        }
    }

    private string Json(in LogFacts facts)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (var (name, parts) in _fields)
                Write(json, name, parts, facts);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private void Write(Utf8JsonWriter json, string name, LogFormatPart[] parts, in LogFacts facts)
    {
        if (parts is [{ Literal: null } only])
        {
            // A command alone keeps its type, as in Envoy's typed JSON.
            var value = LogValues.Of(only, facts);
            if (value is null && _absent is null)
                return;
            if (value is null)
                json.WriteNull(name);
            else if (only.IsNumber && long.TryParse(value, CultureInfo.InvariantCulture, out var number))
                json.WriteNumber(name, number);
            else
                json.WriteString(name, value);
            return;
        }

        var text = new StringBuilder();
        foreach (var part in parts)
            text.Append(part.Literal ?? LogValues.Of(part, facts) ?? _absent);
        json.WriteString(name, text.ToString());
    }

    private static void Append(StringBuilder line, string? value)
    {
        foreach (var c in value ?? string.Empty)
            line.Append(char.IsControl(c) ? '?' : c);
    }
}

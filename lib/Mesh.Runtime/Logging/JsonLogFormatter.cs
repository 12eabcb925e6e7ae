using System.Globalization;

namespace Mesh.Runtime.Logging;

/// <summary>One JSON object per line: level, time, scope, message, the fields with dotted keys, then one nested object per span.</summary>
internal sealed class JsonLogFormatter : LogFormatter
{
    public override void Format(LineBuffer output, LogEvent line)
    {
        output.Utf8("{\"level\":\""u8);
        output.Text(line.Severity.Name());
        output.Utf8("\",\"time\":\""u8);
        Time(output, line.Ticks);
        output.Utf8("\",\"scope\":"u8);
        Quoted(output, line.Target);
        if (line.Message.Length > 0)
        {
            output.Utf8(",\"message\":"u8);
            Quoted(output, line.Message);
        }

        foreach (ref readonly var field in line.Fields)
        {
            output.Byte((byte)',');
            Quoted(output, field.Key);
            output.Byte((byte)':');
            Value(output, field);
        }

        Spans(output, line.Span);
        output.Utf8("}\n"u8);
    }

    private static void Value(LineBuffer output, in LogField field)
    {
        switch (field.Kind)
        {
            case LogFieldKind.Number or LogFieldKind.Flag:
                Plain(output, field);
                break;
            case LogFieldKind.Quoted or LogFieldKind.Bare when field.Value is string text:
                Quoted(output, text);
                break;
            default:
                output.Byte((byte)'"');
                Plain(output, field);
                output.Byte((byte)'"');
                break;
        }
    }

    private static void Spans(LineBuffer output, LogSpan? span)
    {
        if (span is null)
            return;
        Spans(output, span.Parent);
        output.Byte((byte)',');
        Quoted(output, span.Name);
        output.Utf8(":{"u8);
        for (var i = 0; i < span.Fields.Count; i++)
        {
            if (i > 0)
                output.Byte((byte)',');
            Quoted(output, span.Fields[i].Key);
            output.Byte((byte)':');
            switch (span.Fields[i].Value)
            {
                case bool flag:
                    output.Utf8(flag ? "true"u8 : "false"u8);
                    break;
                case sbyte or byte or short or ushort or int or uint or long:
                    output.Number(Convert.ToInt64(span.Fields[i].Value, CultureInfo.InvariantCulture));
                    break;
                default:
                    Quoted(output, Convert.ToString(span.Fields[i].Value, CultureInfo.InvariantCulture) ?? string.Empty);
                    break;
            }
        }

        output.Byte((byte)'}');
    }

    // RFC 8259 section 7: quotation mark, reverse solidus and U+0000 to U+001F must be escaped; everything else stays readable.
    private static void Quoted(LineBuffer output, string text)
    {
        output.Byte((byte)'"');
        var rest = text.AsSpan();
        while (!rest.IsEmpty)
        {
            var plain = NextToEscape(rest);
            output.Text(rest[..plain]);
            rest = rest[plain..];
            if (rest.IsEmpty)
                break;
            Escape(output, rest[0]);
            rest = rest[1..];
        }

        output.Byte((byte)'"');
    }

    private static int NextToEscape(ReadOnlySpan<char> text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is < ' ' or '"' or '\\')
                return i;
        }

        return text.Length;
    }

    private static void Escape(LineBuffer output, char c)
    {
        output.Byte((byte)'\\');
        switch (c)
        {
            case '"' or '\\':
                output.Byte((byte)c);
                break;
            case '\n':
                output.Byte((byte)'n');
                break;
            case '\r':
                output.Byte((byte)'r');
                break;
            case '\t':
                output.Byte((byte)'t');
                break;
            case '\b':
                output.Byte((byte)'b');
                break;
            case '\f':
                output.Byte((byte)'f');
                break;
            default:
                output.Byte((byte)'u');
                output.Formatted((int)c, "x4");
                break;
        }
    }
}

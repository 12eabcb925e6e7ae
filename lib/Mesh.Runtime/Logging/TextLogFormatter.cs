using System.Globalization;
using System.Text;

namespace Mesh.Runtime.Logging;

/// <summary><c>time TAB level TAB target[:span{key=value}] TAB message TAB key=value ...</c>; the tab before the fields is always there, a message may be missing with its tab.</summary>
internal sealed class TextLogFormatter : LogFormatter
{
    // Text names the module inside the program; JSON carries the whole target.
    private const string ProgramPrefix = "ztunnel::";

    public override void Format(LineBuffer output, LogEvent line)
    {
        Time(output, line.Ticks);
        output.Byte((byte)'\t');
        output.Text(line.Severity.Name());
        output.Byte((byte)'\t');
        output.Text(line.Target.StartsWith(ProgramPrefix, StringComparison.Ordinal) ? line.Target.AsSpan(ProgramPrefix.Length) : line.Target);
        Span(output, line.Span);
        output.Byte((byte)'\t');
        if (line.Message.Length > 0)
        {
            output.Text(line.Message);
            output.Byte((byte)'\t');
        }

        var first = true;
        foreach (ref readonly var field in line.Fields)
        {
            if (!first)
                output.Byte((byte)' ');
            first = false;
            output.Text(field.Key);
            output.Byte((byte)'=');
            Value(output, field);
        }

        output.Byte((byte)'\n');
    }

    private static void Span(LineBuffer output, LogSpan? span)
    {
        if (span is null)
            return;
        Span(output, span.Parent);
        output.Byte((byte)':');
        output.Text(span.Name);
        output.Byte((byte)'{');
        for (var i = 0; i < span.Fields.Count; i++)
        {
            if (i > 0)
                output.Byte((byte)' ');
            output.Text(span.Fields[i].Key);
            output.Byte((byte)'=');
            output.Text(Convert.ToString(span.Fields[i].Value, CultureInfo.InvariantCulture));
        }

        output.Byte((byte)'}');
    }

    private static void Value(LineBuffer output, in LogField field)
    {
        switch (field.Kind)
        {
            case LogFieldKind.Quoted:
                output.Byte((byte)'"');
                Escaped(output, (string)field.Value!);
                output.Byte((byte)'"');
                break;
            case LogFieldKind.Milliseconds:
                output.Byte((byte)'"');
                Plain(output, field);
                output.Byte((byte)'"');
                break;
            default:
                Plain(output, field);
                break;
        }
    }

    /// <summary>
    /// As Rust prints a string for debugging: a value chosen by a peer can neither end its quotes nor start a line.
    /// </summary>
    private static void Escaped(LineBuffer output, string value)
    {
        if (!value.AsSpan().ContainsAnyExceptInRange(' ', '~') && !value.AsSpan().ContainsAny('"', '\\'))
        {
            output.Text(value);
            return;
        }

        foreach (var rune in value.EnumerateRunes())
        {
            switch (rune.Value)
            {
                case '"':
                    output.Utf8("\\\""u8);
                    break;
                case '\\':
                    output.Utf8("\\\\"u8);
                    break;
                case '\n':
                    output.Utf8("\\n"u8);
                    break;
                case '\r':
                    output.Utf8("\\r"u8);
                    break;
                case '\t':
                    output.Utf8("\\t"u8);
                    break;
                case 0:
                    output.Utf8("\\0"u8);
                    break;
                default:
                    Printable(output, rune);
                    break;
            }
        }
    }

    private static void Printable(LineBuffer output, Rune rune)
    {
        var hidden = Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
            or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            || (Rune.GetUnicodeCategory(rune) == UnicodeCategory.SpaceSeparator && rune.Value != ' ');
        if (!hidden)
        {
            Span<byte> utf8 = stackalloc byte[4];
            output.Utf8(utf8[..rune.EncodeToUtf8(utf8)]);
            return;
        }

        output.Utf8("\\u{"u8);
        output.Formatted(rune.Value, "x");
        output.Byte((byte)'}');
    }
}

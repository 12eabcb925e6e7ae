using System.Buffers;
using System.Text;

namespace Mesh.Waypoint.Http1;

/// <summary>
/// Reads a response head or a trailer section out of a buffer that grows: bytes in, nothing kept but how far was looked. Line ends are CRLF; a bare
/// CR or LF, a control character or a name that is no token is a violation (RFC 9112 2.2, 5).
/// </summary>
internal sealed class ResponseHeadParser
{
    /// <summary>Envoy's HTTP/1 codec takes 80 KiB of response headers and 100 of them (reference 7.3).</summary>
    public const int MaxBytes = 80 * 1024;
    public const int MaxFields = 100;

    private static readonly SearchValues<byte> TokenBytes = SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    // HTAB, visible, obs-text: RFC 9110 5.5.
    private static readonly SearchValues<byte> ForbiddenInValue = SearchValues.Create([.. Enumerable.Range(0, 32).Where(b => b != 9).Select(b => (byte)b), 127]);

    private int _searched;

    /// <param name="buffer">What has arrived.</param>
    /// <param name="consumed">Behind the empty line, where one came.</param>
    /// <returns>False: more bytes are needed.</returns>
    /// <exception cref="ProtocolViolationException">It is not a response head.</exception>
    public bool TryReadHead(in ReadOnlySequence<byte> buffer, ResponseHead head, out SequencePosition consumed)
    {
        if (!TryFindSection(buffer, out var section, out consumed, trailers: false))
            return false;
        var rest = section;
        ReadStatusLine(NextLine(ref rest), head);
        ReadFields(rest, head.Fields);
        return true;
    }

    /// <summary>The fields behind the last chunk; an empty section is just an empty line.</summary>
    public bool TryReadTrailers(in ReadOnlySequence<byte> buffer, FieldList trailers, out SequencePosition consumed)
    {
        if (!TryFindSection(buffer, out var section, out consumed, trailers: true))
            return false;
        ReadFields(section, trailers);
        return true;
    }

    // Up to and including the CRLF of the last line; the empty line is not part of it.
    private bool TryFindSection(in ReadOnlySequence<byte> buffer, out ReadOnlySpan<byte> section, out SequencePosition consumed, bool trailers)
    {
        section = default;
        consumed = buffer.Start;
        var span = buffer.IsSingleSegment ? buffer.FirstSpan : buffer.Slice(0, Math.Min(buffer.Length, MaxBytes + 2)).ToArray();
        if (trailers && span.StartsWith("\r\n"u8))
        {
            consumed = buffer.GetPosition(2);
            return true;
        }

        var from = Math.Max(0, Math.Min(_searched, span.Length) - 3);
        var end = span[from..].IndexOf("\r\n\r\n"u8);
        if (end >= 0)
        {
            section = span[..(from + end + 2)];
            if (section.Length > MaxBytes)
                throw TooLarge();
            consumed = buffer.GetPosition(section.Length + 2);
            _searched = 0;
            return true;
        }

        _searched = span.Length;
        if (buffer.Length > MaxBytes)
            throw TooLarge();

        // What can be no head is refused before its end, which may never come.
        if (!trailers && span.Length >= 5 && !span.StartsWith("HTTP/"u8))
            throw new ProtocolViolationException("the response does not begin with HTTP/");
        return false;
    }

    private static ProtocolViolationException TooLarge() => new($"the response headers are longer than {MaxBytes} bytes");

    private static ReadOnlySpan<byte> NextLine(ref ReadOnlySpan<byte> rest)
    {
        var end = rest.IndexOf((byte)'\n');
        if (end < 1 || rest[end - 1] != '\r')
            throw new ProtocolViolationException("a line of the response head ends without CR LF");
        var line = rest[..(end - 1)];
        rest = rest[(end + 1)..];
        return line;
    }

    private static void ReadStatusLine(ReadOnlySpan<byte> line, ResponseHead head)
    {
        // HTTP/1.x SP 3DIGIT [SP reason]; the reason may be missing with its space.
        if (line.Length < 12 || !line.StartsWith("HTTP/1."u8) || line[7] is not ((byte)'0' or (byte)'1') || line[8] != ' ' || (line.Length > 12 && line[12] != ' '))
            throw new ProtocolViolationException("the response has no valid status line");
        var status = 0;
        foreach (var digit in line[9..12])
        {
            if (digit is < (byte)'0' or > (byte)'9')
                throw new ProtocolViolationException("the response has no valid status line");
            status = (status * 10) + digit - '0';
        }

        if (status < 100)
            throw new ProtocolViolationException($"the response has status {status}");
        var reason = line.Length > 13 ? line[13..] : default;
        if (reason.IndexOfAny(ForbiddenInValue) >= 0)
            throw new ProtocolViolationException("the reason phrase has a control character");
        head.IsHttp10 = line[7] == '0';
        head.Status = status;
        head.Reason = KnownNames.Reason(status, reason);
    }

    private static void ReadFields(ReadOnlySpan<byte> rest, FieldList fields)
    {
        while (rest.Length > 0)
        {
            var line = NextLine(ref rest);
            if (line.Length > 0 && line[0] is (byte)' ' or (byte)'\t')
            {
                // RFC 9112 5.2: a proxy replaces a fold by spaces or refuses the message.
                if (fields.Count == 0)
                    throw new ProtocolViolationException("the first header line is a continuation");
                fields.ExtendLast("  " + Value(line));
                continue;
            }

            var colon = line.IndexOf((byte)':');
            if (colon <= 0 || line[..colon].IndexOfAnyExcept(TokenBytes) >= 0)
                throw new ProtocolViolationException("a header line of the response has no valid name");
            if (fields.Count == MaxFields)
                throw new ProtocolViolationException($"the response has more than {MaxFields} header lines");
            fields.Add(KnownNames.Name(line[..colon]), Value(line[(colon + 1)..]));
        }
    }

    private static string Value(ReadOnlySpan<byte> raw)
    {
        raw = raw.Trim(" \t"u8);
        if (raw.IndexOfAny(ForbiddenInValue) >= 0)
            throw new ProtocolViolationException("a header value of the response has a control character");
        return raw.IsEmpty ? string.Empty : Encoding.Latin1.GetString(raw);
    }
}

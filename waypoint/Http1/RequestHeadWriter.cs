using System.Buffers;
using System.Text;

namespace Mesh.Waypoint.Http1;

/// <summary>
/// Writes a request head. The last defence against injected lines: whatever a rule, a claim or a rewrite put into a value, a control character ends
/// the request here and not as a second request at the application.
/// </summary>
internal ref struct RequestHeadWriter(IBufferWriter<byte> output)
{
    private readonly IBufferWriter<byte> _output = output;

    public readonly void RequestLine(string method, string target, string authority)
    {
        if (target.AsSpan().IndexOfAnyExceptInRange('!', '\u00ff') >= 0 || target.Contains('\u007f', StringComparison.Ordinal))
            throw new ClientFaultException("the request target has a blank or a control character after it was rewritten");
        Write(method);
        _output.Write(" "u8);
        Write(target);
        _output.Write(" HTTP/1.1\r\nhost: "u8);
        FieldRules.CheckValue("host", authority);
        Write(authority);
        _output.Write("\r\n"u8);
    }

    public readonly void Field(string name, string value)
    {
        FieldRules.Check(name, value);
        var span = _output.GetSpan(name.Length + value.Length + 4);
        Ascii.ToLower(name, span, out var length);
        ": "u8.CopyTo(span[length..]);
        length += 2;
        length += Encoding.Latin1.GetBytes(value, span[length..]);
        "\r\n"u8.CopyTo(span[length..]);
        _output.Advance(length + 2);
    }

    public readonly void End() => _output.Write("\r\n"u8);

    private readonly void Write(string text)
    {
        var span = _output.GetSpan(text.Length);
        _output.Advance(Encoding.Latin1.GetBytes(text, span));
    }
}

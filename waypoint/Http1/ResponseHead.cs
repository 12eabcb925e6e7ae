namespace Mesh.Waypoint.Http1;

/// <summary>How the end of a body is known (RFC 9112 6.3).</summary>
internal enum BodyFraming
{
    None,
    Length,
    Chunked,

    /// <summary>Everything until the connection ends.</summary>
    UntilClose,
}

/// <summary>Status line and fields of a response; one object per connection, filled anew for each response.</summary>
internal sealed class ResponseHead
{
    public int Status { get; set; }

    public string Reason { get; set; } = string.Empty;

    public bool IsHttp10 { get; set; }

    public FieldList Fields { get; } = new();

    /// <summary>The connection may carry another request after this response.</summary>
    public bool KeepsAlive { get; private set; }

    public BodyFraming Framing { get; private set; }

    public long Length { get; private set; }

    public void Clear()
    {
        Fields.Clear();
        Framing = BodyFraming.None;
        Length = 0;
    }

    /// <summary>RFC 9112 6.3 and 9.3 for a response; strict where two readers could differ.</summary>
    /// <exception cref="ProtocolViolationException">Length and chunked together, several lengths, a coding that is not known.</exception>
    public void Interpret(bool toHead)
    {
        long? length = null;
        var chunked = false;
        var close = IsHttp10;
        foreach (var field in Fields.Items)
        {
            if (field.Name.Equals("content-length", StringComparison.OrdinalIgnoreCase))
            {
                if (length is not null)
                    throw new ProtocolViolationException("the response has more than one Content-Length");
                length = ParseLength(field.Value);
            }
            else if (field.Name.Equals("transfer-encoding", StringComparison.OrdinalIgnoreCase))
            {
                if (chunked || IsHttp10 || !field.Value.Equals("chunked", StringComparison.OrdinalIgnoreCase))
                    throw new ProtocolViolationException($"the response has Transfer-Encoding \"{field.Value}\"{(IsHttp10 ? " in HTTP/1.0" : string.Empty)}");
                chunked = true;
            }
            else if (field.Name.Equals("connection", StringComparison.OrdinalIgnoreCase))
            {
                if (Names(field.Value, "close"))
                    close = true;
                else if (IsHttp10 && Names(field.Value, "keep-alive"))
                    close = false;
            }
        }

        if (chunked && length is not null)
            throw new ProtocolViolationException("the response has both Content-Length and Transfer-Encoding");
        Length = length ?? 0;
        if (toHead || Status is 204 or 304 or (>= 100 and < 200))
            Framing = BodyFraming.None;
        else if (chunked)
            Framing = BodyFraming.Chunked;
        else if (length is not null)
            Framing = length > 0 ? BodyFraming.Length : BodyFraming.None;
        else
            Framing = BodyFraming.UntilClose;
        KeepsAlive = !close && Framing != BodyFraming.UntilClose;
    }

    private static long ParseLength(string value)
    {
        // Digits only: no sign, no list, no space inside; 18 of them fit.
        if (value.Length is 0 or > 18 || value.AsSpan().IndexOfAnyExceptInRange('0', '9') >= 0)
            throw new ProtocolViolationException($"the response has Content-Length \"{value}\"");
        return long.Parse(value, System.Globalization.CultureInfo.InvariantCulture);
    }

    private static bool Names(string list, string token)
    {
        foreach (var range in list.AsSpan().Split(','))
        {
            if (list.AsSpan(range).Trim().Equals(token, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }
}

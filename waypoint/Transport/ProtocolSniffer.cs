namespace Mesh.Waypoint.Transport;

/// <summary>What the first bytes of a connection say.</summary>
internal enum SniffedProtocol
{
    /// <summary>Too few bytes yet.</summary>
    Undecided,
    Http1,
    Http2,

    /// <summary>Anything else is carried as TCP.</summary>
    Other,
}

/// <summary>Pure: tells HTTP/2 by its preface (RFC 9113 3.4) and HTTP/1 by "METHOD target" (a token, then a space).</summary>
internal static class ProtocolSniffer
{
    /// <summary>No registered method is longer; Envoy's sniffer knows the registered ones only, ours any token of upper-case letters.</summary>
    private const int LongestMethod = 20;

    public static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    /// <summary>Enough to decide in every case.</summary>
    public static int MaximumNeeded => Preface.Length;

    public static SniffedProtocol Sniff(ReadOnlySpan<byte> data)
    {
        var common = Math.Min(data.Length, Preface.Length);
        if (data[..common].SequenceEqual(Preface[..common]))
            return common == Preface.Length ? SniffedProtocol.Http2 : SniffedProtocol.Undecided;

        // RFC 9112 2.2: a server should ignore one empty line before the request.
        data = data.TrimStart("\r\n"u8);
        for (var i = 0; i < data.Length; i++)
        {
            var b = data[i];
            if (b == ' ')
                return i > 0 ? SniffedProtocol.Http1 : SniffedProtocol.Other;
            if (i >= LongestMethod || b is not ((>= (byte)'A' and <= (byte)'Z') or (byte)'-' or (byte)'_'))
                return SniffedProtocol.Other;
        }

        return SniffedProtocol.Undecided;
    }
}

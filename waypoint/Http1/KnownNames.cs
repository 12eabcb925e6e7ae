using System.Text;

namespace Mesh.Waypoint.Http1;

/// <summary>Strings that come again and again, made once.</summary>
internal static class KnownNames
{
    private static readonly byte[][] Bytes;
    private static readonly string[] Texts =
    [
        "age", "vary", "etag", "date", "server", "expires", "location", "connection", "keep-alive", "set-cookie", "grpc-status", "grpc-message",
        "content-type", "accept-ranges", "last-modified", "cache-control", "content-length", "content-range", "www-authenticate",
        "content-encoding", "transfer-encoding", "content-disposition", "access-control-allow-origin",
    ];

    // By length: names of one length are few.
    private static readonly int[] FirstOfLength = new int[64];

    static KnownNames()
    {
        Array.Sort(Texts, (a, b) => a.Length - b.Length);
        Bytes = [.. Texts.Select(Encoding.ASCII.GetBytes)];
        Array.Fill(FirstOfLength, -1);
        for (var i = Texts.Length - 1; i >= 0; i--)
            FirstOfLength[Texts[i].Length] = i;
    }

    /// <summary>In lower case, as header names leave a proxy of this kind.</summary>
    public static string Name(ReadOnlySpan<byte> name)
    {
        if (name.Length < FirstOfLength.Length && FirstOfLength[name.Length] is >= 0 and var first)
        {
            for (var i = first; i < Texts.Length && Texts[i].Length == name.Length; i++)
            {
                if (Ascii.EqualsIgnoreCase(name, Bytes[i]))
                    return Texts[i];
            }
        }

        return string.Create(name.Length, name, static (target, source) => Ascii.ToLower(source, target, out _));
    }

    public static string Reason(int status, ReadOnlySpan<byte> reason) => status switch
    {
        200 when reason.SequenceEqual("OK"u8) => "OK",
        404 when reason.SequenceEqual("Not Found"u8) => "Not Found",
        _ => reason.IsEmpty ? string.Empty : Encoding.Latin1.GetString(reason),
    };
}

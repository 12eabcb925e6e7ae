using System.Collections.Frozen;

namespace Mesh.Http2.Hpack;

/// <summary>RFC 7541, appendix A. Indices start at 1.</summary>
internal static class StaticTable
{
    public const int Count = 61;

    private static readonly HeaderField[] Fields =
    [
        new(":authority", ""), new(":method", "GET"), new(":method", "POST"), new(":path", "/"), new(":path", "/index.html"),
        new(":scheme", "http"), new(":scheme", "https"), new(":status", "200"), new(":status", "204"), new(":status", "206"),
        new(":status", "304"), new(":status", "400"), new(":status", "404"), new(":status", "500"), new("accept-charset", ""),
        new("accept-encoding", "gzip, deflate"), new("accept-language", ""), new("accept-ranges", ""), new("accept", ""),
        new("access-control-allow-origin", ""), new("age", ""), new("allow", ""), new("authorization", ""), new("cache-control", ""),
        new("content-disposition", ""), new("content-encoding", ""), new("content-language", ""), new("content-length", ""),
        new("content-location", ""), new("content-range", ""), new("content-type", ""), new("cookie", ""), new("date", ""), new("etag", ""),
        new("expect", ""), new("expires", ""), new("from", ""), new("host", ""), new("if-match", ""), new("if-modified-since", ""),
        new("if-none-match", ""), new("if-range", ""), new("if-unmodified-since", ""), new("last-modified", ""), new("link", ""),
        new("location", ""), new("max-forwards", ""), new("proxy-authenticate", ""), new("proxy-authorization", ""), new("range", ""),
        new("referer", ""), new("refresh", ""), new("retry-after", ""), new("server", ""), new("set-cookie", ""),
        new("strict-transport-security", ""), new("transfer-encoding", ""), new("user-agent", ""), new("vary", ""), new("via", ""),
        new("www-authenticate", ""),
    ];

    private static readonly FrozenDictionary<string, int> FirstIndexes =
        Fields.Select((field, i) => (field.Name, Index: i + 1)).GroupBy(p => p.Name, StringComparer.Ordinal)
            .ToFrozenDictionary(g => g.Key, g => g.First().Index, StringComparer.Ordinal);

    public static HeaderField Get(int index) => Fields[index - 1];

    /// <summary>Index of the exact field, or 0; <paramref name="nameIndex"/> is an index with the same name, or 0.</summary>
    public static int Find(string name, string value, out int nameIndex)
    {
        if (!FirstIndexes.TryGetValue(name, out nameIndex))
            return 0;

        // Fields with one name are neighbours in the table.
        for (var i = nameIndex; i <= Count && string.Equals(Fields[i - 1].Name, name, StringComparison.Ordinal); i++)
        {
            if (string.Equals(Fields[i - 1].Value, value, StringComparison.Ordinal))
                return i;
        }

        return 0;
    }
}

using System.Globalization;
using System.IO.Compression;

namespace Mesh.Runtime.Admin;

/// <summary>One way to compress an answer, chosen by the client's Accept-Encoding (RFC 9110 section 12.5.3).</summary>
internal sealed class ContentEncoding
{
    private static readonly ContentEncoding Identity = new(null, null);

    // In our order of preference among equal weights: what costs least for a page of a few hundred kilobytes.
    private static readonly ContentEncoding[] Known =
    [
        new("gzip", s => new GZipStream(s, CompressionLevel.Fastest, leaveOpen: true)),
        new("deflate", s => new ZLibStream(s, CompressionLevel.Fastest, leaveOpen: true)),
        new("br", s => new BrotliStream(s, CompressionLevel.Fastest, leaveOpen: true)),
        new("zstd", s => new StoredZstandardStream(s)),
    ];

    private readonly Func<Stream, Stream>? _open;

    private ContentEncoding(string? name, Func<Stream, Stream>? open)
    {
        Name = name;
        _open = open;
    }

    /// <summary>Null: as it is.</summary>
    public string? Name { get; }

    public static ContentEncoding Choose(string accept)
    {
        var best = Identity;
        var bestWeight = 0.0;
        foreach (var encoding in Known)
        {
            if (Weight(accept, encoding.Name!) is var weight && weight > bestWeight)
            {
                best = encoding;
                bestWeight = weight;
            }
        }

        return best;
    }

    public ReadOnlyMemory<byte> Encode(ReadOnlyMemory<byte> body)
    {
        if (_open is null)
            return body;
        var output = new MemoryStream(body.Length / 8);
        using (var encoder = _open(output))
            encoder.Write(body.Span);
        return output.GetBuffer().AsMemory(0, (int)output.Length);
    }

    private static double Weight(string accept, string name)
    {
        foreach (var entry in accept.Split(',', StringSplitOptions.TrimEntries))
        {
            var parts = entry.Split(';', StringSplitOptions.TrimEntries);
            if (!parts[0].Equals(name, StringComparison.OrdinalIgnoreCase))
                continue;
            foreach (var parameter in parts.AsSpan(1))
            {
                if (parameter.StartsWith("q=", StringComparison.OrdinalIgnoreCase))
                    return double.TryParse(parameter.AsSpan(2), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var weight) ? weight : 0;
            }

            return 1;
        }

        return 0;
    }
}

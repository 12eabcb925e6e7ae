using System.Collections;

namespace Mesh.Xds.Grpc;

/// <summary>One metadata entry. Keys that end in <c>-bin</c> carry bytes, all others ASCII text.</summary>
public readonly record struct GrpcMetadataEntry(string Key, string Value)
{
    /// <summary>The decoded bytes of a <c>-bin</c> entry.</summary>
    public byte[] ToBytes()
    {
        // The specification asks senders not to pad and receivers to accept both forms.
        var unpadded = Value.TrimEnd('=');
        return Convert.FromBase64String(unpadded.PadRight((unpadded.Length + 3) / 4 * 4, '='));
    }
}

/// <summary>Ordered metadata of a call (request headers, response headers or trailers). Keys are lower case; a key may repeat.</summary>
public sealed class GrpcMetadata : IReadOnlyList<GrpcMetadataEntry>
{
    public static readonly GrpcMetadata Empty = new() { _frozen = true };

    private readonly List<GrpcMetadataEntry> _entries = [];
    private bool _frozen;

    public int Count => _entries.Count;

    public GrpcMetadataEntry this[int index] => _entries[index];

    public GrpcMetadata Add(string key, string value)
    {
        ObjectDisposedException.ThrowIf(_frozen, this);
        _entries.Add(new GrpcMetadataEntry(CheckedKey(key), CheckedValue(key, value)));
        return this;
    }

    public GrpcMetadata Add(string key, ReadOnlySpan<byte> value)
    {
        if (!key.EndsWith("-bin", StringComparison.Ordinal))
            throw new ArgumentException($"metadata key '{key}' must end in -bin to carry bytes", nameof(key));
        return Add(key, Convert.ToBase64String(value).TrimEnd('='));
    }

    /// <summary>The first value of the key, or null.</summary>
    public string? Get(string key)
    {
        foreach (var entry in _entries)
        {
            if (string.Equals(entry.Key, key, StringComparison.OrdinalIgnoreCase))
                return entry.Value;
        }

        return null;
    }

    public byte[]? GetBytes(string key) => Get(key) is { } value ? new GrpcMetadataEntry(key, value).ToBytes() : null;

    public IEnumerator<GrpcMetadataEntry> GetEnumerator() => _entries.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    // Values written into HTTP headers: a line break here would let whoever sets XDS_HEADER_* smuggle headers.
    private static string CheckedValue(string key, string value)
    {
        foreach (var c in value)
        {
            if (c is < ' ' or > '~')
                throw new ArgumentException($"the value of metadata '{key}' holds the character U+{(int)c:X4}; gRPC metadata is printable ASCII", nameof(value));
        }

        return value;
    }

    private static string CheckedKey(string key)
    {
        foreach (var c in key)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.'))
                throw new ArgumentException($"'{key}' is not a metadata key: only letters, digits, '-', '_' and '.' are allowed", nameof(key));
        }

        return key.Length > 0 ? key.ToLowerInvariant() : throw new ArgumentException("a metadata key must not be empty", nameof(key));
    }
}

using System.Collections;

namespace Mesh.Http2;

/// <summary>
/// An ordered field section, pseudo-header fields first. Lists that the engine hands to a handler belong to the handler; lists handed to the
/// engine are only read during the call.
/// </summary>
public sealed class HeaderList : IReadOnlyList<HeaderField>
{
    private HeaderField[] _fields;
    private int _count;

    /// <param name="capacity">8 holds an HBONE request and answer without growing.</param>
    public HeaderList(int capacity = 8) => _fields = new HeaderField[capacity];

    public int Count => _count;

    public string? Method => Get(":method");

    public string? Scheme => Get(":scheme");

    public string? Authority => Get(":authority");

    public string? Path => Get(":path");

    /// <summary>The three-digit :status, or 0 when there is none.</summary>
    public int Status => Get(":status") is { } text && int.TryParse(text, out var status) ? status : 0;

    public HeaderField this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)_count, nameof(index));
            return _fields[index];
        }
    }

    /// <summary>An RFC 9113 8.5 CONNECT: no :scheme, no :path.</summary>
    public static HeaderList Connect(string authority) => new() { { ":method", "CONNECT" }, { ":authority", authority } };

    public static HeaderList Request(string method, string scheme, string authority, string path) =>
        new() { { ":method", method }, { ":scheme", scheme }, { ":authority", authority }, { ":path", path } };

    public static HeaderList Response(int status) => new() { { ":status", StatusText(status) } };

    public void Add(string name, string value, bool sensitive = false) => Add(new HeaderField(name, value, sensitive));

    public void Add(HeaderField field)
    {
        if (_count == _fields.Length)
            Array.Resize(ref _fields, Math.Max(8, _count * 2));
        _fields[_count++] = field;
    }

    /// <summary>The first value of a field, or null. Names are lower case on the wire, so the comparison is exact.</summary>
    public string? Get(string name)
    {
        foreach (ref readonly var field in AsSpan())
        {
            if (string.Equals(field.Name, name, StringComparison.Ordinal))
                return field.Value;
        }

        return null;
    }

    public bool Contains(string name) => Get(name) is not null;

    /// <summary>Every value of a field, in order.</summary>
    public IEnumerable<string> GetAll(string name)
    {
        for (var i = 0; i < _count; i++)
        {
            if (string.Equals(_fields[i].Name, name, StringComparison.Ordinal))
                yield return _fields[i].Value;
        }
    }

    public ReadOnlySpan<HeaderField> AsSpan() => _fields.AsSpan(0, _count);

    public ReadOnlySpan<HeaderField>.Enumerator GetEnumerator() => AsSpan().GetEnumerator();

    IEnumerator<HeaderField> IEnumerable<HeaderField>.GetEnumerator()
    {
        for (var i = 0; i < _count; i++)
            yield return _fields[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => ((IEnumerable<HeaderField>)this).GetEnumerator();

    public override string ToString() => string.Join('\n', ((IEnumerable<HeaderField>)this).Select(f => $"{f.Name}: {(f.Sensitive ? "…" : f.Value)}"));

    // The answers of HBONE; a formatted number would be an allocation per stream.
    private static string StatusText(int status) => status switch
    {
        200 => "200",
        400 => "400",
        401 => "401",
        503 => "503",
        >= 100 and <= 999 => status.ToString(System.Globalization.CultureInfo.InvariantCulture),
        _ => throw new ArgumentOutOfRangeException(nameof(status), status, "an HTTP status has three digits"),
    };
}

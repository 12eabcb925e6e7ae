using System.Globalization;
using System.Text;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>Just enough HTTP/1.1, independent of the stacks under test.</summary>
internal sealed class Http1(Stream stream)
{
    private readonly byte[] _buffer = new byte[64 * 1024];
    private int _start;
    private int _end;

    /// <summary>Bytes that were received and not read.</summary>
    public bool HasMore => _start < _end;

    /// <summary>What had come when the stream ended too early.</summary>
    public byte[] Partial { get; private set; } = [];

    /// <summary>Null at the end of the stream.</summary>
    public async Task<string?> LineAsync(CancellationToken cancellation)
    {
        var line = new StringBuilder();
        while (true)
        {
            for (; _start < _end; _start++)
            {
                if (_buffer[_start] == '\n')
                {
                    _start++;
                    return line.ToString().TrimEnd('\r');
                }

                line.Append((char)_buffer[_start]);
            }

            if (!await FillAsync(cancellation))
                return line.Length == 0 ? null : throw new EndOfStreamException();
        }
    }

    public async Task<byte[]> ExactlyAsync(int count, CancellationToken cancellation)
    {
        var result = new byte[count];
        for (var at = 0; at < count;)
        {
            if (_start == _end && !await FillAsync(cancellation))
            {
                Partial = result[..at];
                throw new EndOfStreamException();
            }

            var piece = Math.Min(count - at, _end - _start);
            _buffer.AsSpan(_start, piece).CopyTo(result.AsSpan(at));
            at += piece;
            _start += piece;
        }

        return result;
    }

    /// <summary>Empty at the end of the stream.</summary>
    public async Task<byte[]> SomeAsync(CancellationToken cancellation)
    {
        if (_start == _end && !await FillAsync(cancellation))
            return [];
        var result = _buffer[_start.._end];
        _start = _end;
        return result;
    }

    public async Task<List<(string Name, string Value)>> HeadersAsync(CancellationToken cancellation)
    {
        var headers = new List<(string, string)>();
        while (await LineAsync(cancellation) is { Length: > 0 } line)
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            headers.Add(colon < 0 ? (line, string.Empty) : (line[..colon], line[(colon + 1)..].Trim()));
        }

        return headers;
    }

    public async Task<byte[]> ChunkedAsync(List<(string Name, string Value)> trailers, CancellationToken cancellation)
    {
        using var body = new MemoryStream();
        try
        {
            while (true)
            {
                var size = int.Parse((await LineAsync(cancellation) ?? throw new EndOfStreamException()).Split(';')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                if (size == 0)
                {
                    trailers.AddRange(await HeadersAsync(cancellation));
                    return body.ToArray();
                }

                body.Write(await ExactlyAsync(size, cancellation));
                await LineAsync(cancellation);
            }
        }
        catch (EndOfStreamException)
        {
            Partial = [.. body.ToArray(), .. Partial];
            throw;
        }
    }

    private async Task<bool> FillAsync(CancellationToken cancellation)
    {
        _start = 0;
        _end = 0;
        _end = await stream.ReadAsync(_buffer, cancellation);
        return _end > 0;
    }
}

using System.Buffers;
using System.Buffers.Text;

namespace Mesh.Waypoint.Http1;

/// <summary>
/// Takes a response body out of a connection's bytes, whatever its framing; sans-I/O. Pieces are slices of the buffer, nothing is copied.
/// </summary>
internal sealed class BodyDecoder(ResponseHeadParser parser)
{
    // Size in hex, extensions ignored: RFC 9112 7.1.1 asks to bound them.
    private const int LongestChunkLine = 4096;

    private BodyFraming _framing;
    private State _state;
    private long _left;

    private enum State
    {
        Size,
        Data,
        DataEnd,
        Trailers,
        Done,
    }

    public FieldList Trailers { get; } = new();

    public bool IsComplete => _state == State.Done;

    public void Start(BodyFraming framing, long length)
    {
        Trailers.Clear();
        _framing = framing;
        _left = length;
        _state = framing switch
        {
            BodyFraming.None => State.Done,
            BodyFraming.Chunked => State.Size,
            _ => State.Data,
        };
    }

    /// <param name="buffer">What is there; what was used is cut off.</param>
    /// <param name="ended">Nothing follows.</param>
    /// <returns>The next piece; empty: the body is complete or more bytes are needed.</returns>
    /// <exception cref="ProtocolViolationException">The framing is broken, or the body is shorter than announced.</exception>
    public ReadOnlySequence<byte> Next(ref ReadOnlySequence<byte> buffer, bool ended)
    {
        while (_state != State.Done)
        {
            switch (_state)
            {
                case State.Data when buffer.Length > 0:
                    return TakeData(ref buffer);
                case State.Data when ended && _framing == BodyFraming.UntilClose:
                    _state = State.Done;
                    return default;
                case State.Size when TryReadSize(ref buffer):
                case State.DataEnd when TryReadDataEnd(ref buffer):
                    continue;
                case State.Trailers when parser.TryReadTrailers(buffer, Trailers, out var consumed):
                    buffer = buffer.Slice(consumed);
                    _state = State.Done;
                    return default;
            }

            if (ended)
                throw new ProtocolViolationException("the connection ended before the response did");
            return default;
        }

        return default;
    }

    private ReadOnlySequence<byte> TakeData(ref ReadOnlySequence<byte> buffer)
    {
        if (_framing == BodyFraming.UntilClose)
        {
            var all = buffer;
            buffer = buffer.Slice(buffer.End);
            return all;
        }

        var piece = buffer.Slice(0, Math.Min(_left, buffer.Length));
        buffer = buffer.Slice(piece.End);
        _left -= piece.Length;
        if (_left == 0)
            _state = _framing == BodyFraming.Chunked ? State.DataEnd : State.Done;
        return piece;
    }

    private bool TryReadSize(ref ReadOnlySequence<byte> buffer)
    {
        if (buffer.PositionOf((byte)'\n') is not { } end)
        {
            if (buffer.Length > LongestChunkLine)
                throw new ProtocolViolationException("a chunk of the response has no end of its size line");
            return false;
        }

        var line = buffer.Slice(0, end);
        if (line.Length > LongestChunkLine)
            throw new ProtocolViolationException("a chunk of the response has a size line that is too long");
        Span<byte> copy = stackalloc byte[(int)Math.Min(line.Length, 32)];
        line.Slice(0, copy.Length).CopyTo(copy);
        if (!Utf8Parser.TryParse(copy, out long size, out var digits, 'x') || digits > 15 || size < 0)
            throw new ProtocolViolationException("a chunk of the response has no valid size");
        var afterSize = line.Slice(digits);
        if (afterSize.Length == 0 || ByteAt(afterSize, 0) is not ((byte)'\r' or (byte)';' or (byte)' ' or (byte)'\t') || !EndsWithOneCr(line))
            throw new ProtocolViolationException("a chunk of the response has no valid size");
        buffer = buffer.Slice(buffer.GetPosition(1, end));
        _left = size;
        _state = size == 0 ? State.Trailers : State.Data;
        return true;
    }

    private bool TryReadDataEnd(ref ReadOnlySequence<byte> buffer)
    {
        if (buffer.Length < 2)
            return false;
        Span<byte> end = stackalloc byte[2];
        buffer.Slice(0, 2).CopyTo(end);
        if (!end.SequenceEqual("\r\n"u8))
            throw new ProtocolViolationException("a chunk of the response is longer than its size");
        buffer = buffer.Slice(2);
        _state = State.Size;
        return true;
    }

    private static bool EndsWithOneCr(in ReadOnlySequence<byte> line) =>
        ByteAt(line, line.Length - 1) == '\r' && line.Slice(0, line.Length - 1).PositionOf((byte)'\r') is null;

    private static byte ByteAt(in ReadOnlySequence<byte> sequence, long index)
    {
        Span<byte> one = stackalloc byte[1];
        sequence.Slice(index, 1).CopyTo(one);
        return one[0];
    }
}

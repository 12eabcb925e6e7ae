using System.Buffers;

namespace Mesh.Ztunnel.Forwarding;

/// <summary>Bytes that the kernel did not take yet, in order. Owns loop buffers only while it is not empty.</summary>
internal sealed class PumpBacklog(ArrayPool<byte> pool)
{
    /// <summary>One buffer class of the loop's slab; a full backlog (one stream window) is a chain of at most 64 of them.</summary>
    private const int ChunkSize = 64 * 1024;

    private Chunk? _first;
    private Chunk? _last;

    public int Length { get; private set; }

    /// <summary>The oldest contiguous piece.</summary>
    public ReadOnlySpan<byte> First => _first is { } chunk ? chunk.Buffer.AsSpan(chunk.Start, chunk.End - chunk.Start) : default;

    public void Append(ReadOnlySpan<byte> data)
    {
        Length += data.Length;
        while (!data.IsEmpty)
        {
            if (_last is null || _last.End == _last.Buffer.Length)
            {
                var chunk = new Chunk(pool.Rent(data.Length <= 1024 ? 1024 : data.Length <= 16 * 1024 ? 16 * 1024 : ChunkSize));
                if (_last is null)
                    _first = chunk;
                else
                    _last.Next = chunk;
                _last = chunk;
            }
            var count = Math.Min(data.Length, _last.Buffer.Length - _last.End);
            data[..count].CopyTo(_last.Buffer.AsSpan(_last.End));
            _last.End += count;
            data = data[count..];
        }
    }

    public void Advance(int count)
    {
        Length -= count;
        while (count > 0)
        {
            var chunk = _first!;
            var taken = Math.Min(count, chunk.End - chunk.Start);
            chunk.Start += taken;
            count -= taken;
            if (chunk.Start < chunk.End)
                continue;
            pool.Return(chunk.Buffer);
            _first = chunk.Next;
            if (_first is null)
                _last = null;
        }
    }

    /// <returns>How many bytes were thrown away.</returns>
    public int Clear()
    {
        var length = Length;
        for (var chunk = _first; chunk is not null; chunk = chunk.Next)
            pool.Return(chunk.Buffer);
        _first = _last = null;
        Length = 0;
        return length;
    }

    private sealed class Chunk(byte[] buffer)
    {
        public byte[] Buffer { get; } = buffer;

        public int Start { get; set; }

        public int End { get; set; }

        public Chunk? Next { get; set; }
    }
}

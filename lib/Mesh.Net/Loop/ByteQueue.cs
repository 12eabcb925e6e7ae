using System.Buffers;

namespace Mesh.Net.Loop;

/// <summary>Bytes waiting to be sent: one contiguous buffer of the loop's pool, held only while something waits.</summary>
internal struct ByteQueue(ArrayPool<byte> pool)
{
    private byte[]? _buffer;
    private int _start;
    private int _end;

    internal readonly int Length => _end - _start;

    internal readonly ReadOnlySpan<byte> Pending => _buffer.AsSpan(_start, Length);

    internal readonly ReadOnlyMemory<byte> PendingMemory => _buffer.AsMemory(_start, Length);

    internal void Append(ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty)
            return;
        Reserve(data.Length);
        data.CopyTo(_buffer.AsSpan(_end));
        _end += data.Length;
    }

    /// <summary>Makes room for so many more bytes in one step.</summary>
    internal void Reserve(int count)
    {
        if (_buffer is not null && _buffer.Length - _end >= count)
            return;
        var length = Length;
        if (_buffer is not null && _buffer.Length - length >= count && _start >= _buffer.Length / 2)
        {
            // Room enough in front, and moving costs less than what has left: no quadratic copying.
            Pending.CopyTo(_buffer);
        }
        else
        {
            var larger = pool.Rent(length + count);
            Pending.CopyTo(larger);
            if (_buffer is not null)
                pool.Return(_buffer);
            _buffer = larger;
        }

        _start = 0;
        _end = length;
    }

    internal void Advance(int count)
    {
        if (count == 0)
            return;
        _start += count;
        if (_start == _end)
            Release();
    }

    /// <summary>Drops everything and gives the buffer back.</summary>
    internal void Release()
    {
        if (_buffer is not null)
            pool.Return(_buffer);
        _buffer = null;
        _start = _end = 0;
    }
}

using System.Buffers;

namespace Mesh.Hbone;

/// <summary>Bytes of a stream that arrived before anybody could take them: one growing buffer of the loop's pool.</summary>
internal sealed class EarlyData
{
    private byte[] _buffer = [];
    private int _start;
    private int _length;

    public int Length => _length - _start;

    public void Append(ReadOnlySpan<byte> data, ArrayPool<byte> pool)
    {
        if (_length + data.Length > _buffer.Length)
        {
            var live = _buffer.AsSpan(_start, Length);
            if (_start >= _buffer.Length / 2 && live.Length + data.Length <= _buffer.Length)
            {
                live.CopyTo(_buffer);
            }
            else
            {
                var larger = pool.Rent(Math.Max(live.Length + data.Length, _buffer.Length * 2));
                live.CopyTo(larger);
                Return(pool);
                _buffer = larger;
            }

            (_start, _length) = (0, live.Length);
        }

        data.CopyTo(_buffer.AsSpan(_length));
        _length += data.Length;
    }

    public void Deliver(ITunnelHandler handler, ArrayPool<byte> pool)
    {
        handler.OnData(_buffer.AsSpan(_start, Length));
        Drop(pool);
    }

    /// <summary>Takes from the front what there is room for.</summary>
    public int Take(Span<byte> room, ArrayPool<byte> pool)
    {
        var count = Math.Min(room.Length, Length);
        _buffer.AsSpan(_start, count).CopyTo(room);
        _start += count;
        if (_start == _length)
            Drop(pool);
        return count;
    }

    public void Drop(ArrayPool<byte> pool)
    {
        Return(pool);
        _buffer = [];
        _start = _length = 0;
    }

    private void Return(ArrayPool<byte> pool)
    {
        if (_buffer.Length > 0)
            pool.Return(_buffer);
    }
}

using System.Buffers;

namespace Mesh.Hbone;

/// <summary>Bytes of a stream that arrived before anybody could take them: one growing buffer of the loop's pool.</summary>
internal sealed class EarlyData
{
    private byte[] _buffer = [];
    private int _length;

    public void Append(ReadOnlySpan<byte> data, ArrayPool<byte> pool)
    {
        if (_length + data.Length > _buffer.Length)
        {
            var larger = pool.Rent(Math.Max(_length + data.Length, _buffer.Length * 2));
            _buffer.AsSpan(0, _length).CopyTo(larger);
            Return(pool);
            _buffer = larger;
        }

        data.CopyTo(_buffer.AsSpan(_length));
        _length += data.Length;
    }

    public void Deliver(ITunnelHandler handler, ArrayPool<byte> pool)
    {
        handler.OnData(_buffer.AsSpan(0, _length));
        Drop(pool);
    }

    public void Drop(ArrayPool<byte> pool)
    {
        Return(pool);
        _buffer = [];
        _length = 0;
    }

    private void Return(ArrayPool<byte> pool)
    {
        if (_buffer.Length > 0)
            pool.Return(_buffer);
    }
}

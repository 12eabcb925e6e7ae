using System.Buffers;
using System.Diagnostics;

namespace Mesh.Http2;

/// <summary>
/// The bytes an engine wants sent, contiguous. The owner sends <see cref="Pending"/> and calls <see cref="Advance"/>; an empty output owns no buffer.
/// </summary>
/// <remarks>
/// <see cref="Pending"/> is valid until the next call on the connection, one of its streams or this object: new frames may move it.
/// A reservation (<see cref="Reserve"/>) is room behind everything pending; any other append drops it.
/// </remarks>
public sealed class Http2Output
{
    // Control frames fit here; DATA asks for what it needs.
    private const int SmallestBuffer = 1024;

    private readonly ArrayPool<byte> _pool;
    private readonly IOutputListener _listener;
    private byte[] _buffer = [];
    private int _start;
    private int _end;
    private int _reserved = -1;
    private bool _released;

    internal Http2Output(ArrayPool<byte> pool, IOutputListener listener)
    {
        _pool = pool;
        _listener = listener;
    }

    internal interface IOutputListener
    {
        void OutputBecameNonEmpty();

        void OutputAdvanced();
    }

    public ReadOnlyMemory<byte> Pending => _buffer.AsMemory(_start, _end - _start);

    public int Length => _end - _start;

    /// <summary>The first <paramref name="count"/> bytes have been sent or copied. May call <see cref="IHttp2Handler.OnWritable"/>.</summary>
    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)Length, nameof(count));
        _start += count;
        if (_start == _end)
            ReturnBuffer();
        _listener.OutputAdvanced();
    }

    /// <summary>Room for exactly <paramref name="size"/> bytes, to be filled and then committed.</summary>
    internal Span<byte> Append(int size)
    {
        Debug.Assert(size > 0, "nothing to append");
        _reserved = -1;
        MakeRoom(size);
        return _buffer.AsSpan(_end, size);
    }

    internal void Commit(int size)
    {
        Debug.Assert(_end + size <= _buffer.Length, "committed more than was appended");
        if (_released)
        {
            ReturnBuffer();
            return;
        }

        var wasEmpty = _start == _end;
        _end += size;
        if (wasEmpty)
            _listener.OutputBecameNonEmpty();
    }

    /// <summary>Room for a frame header and <paramref name="payload"/> bytes behind it; returns the payload's room.</summary>
    internal Span<byte> Reserve(int header, int payload)
    {
        MakeRoom(header + payload);
        _reserved = payload;
        return _buffer.AsSpan(_end + header, payload);
    }

    /// <summary>The header room of the current reservation; throws when something else was appended since.</summary>
    internal Span<byte> TakeReservation(int header, int used)
    {
        if (used > _reserved)
            throw new InvalidOperationException(_reserved < 0
                ? "CommitData without a buffer: another frame was written since GetDataBuffer"
                : $"CommitData({used}) exceeds the buffer of {_reserved} bytes");
        _reserved = -1;
        return _buffer.AsSpan(_end, header);
    }

    /// <summary>Nothing was put into the reservation.</summary>
    internal void DropReservation()
    {
        _reserved = -1;
        if (_start == _end)
            ReturnBuffer();
    }

    /// <summary>The connection is gone: gives the buffer back and ignores what still comes.</summary>
    internal void Release()
    {
        ReturnBuffer();
        _released = true;
    }

    private void MakeRoom(int size)
    {
        if (_buffer.Length - _end >= size)
            return;

        var pending = Length;

        // Moving is worth it only when it frees at least what it moves, so that every byte is moved a bounded number of times.
        if (_start >= pending && _buffer.Length - pending >= size)
        {
            _buffer.AsSpan(_start, pending).CopyTo(_buffer);
        }
        else
        {
            var larger = _pool.Rent(Math.Max(SmallestBuffer, Math.Max(pending + size, Math.Min(_buffer.Length * 2, 1 << 30))));
            _buffer.AsSpan(_start, pending).CopyTo(larger);
            var old = _buffer;
            _buffer = larger;
            if (old.Length > 0)
                _pool.Return(old);
        }

        _start = 0;
        _end = pending;
    }

    private void ReturnBuffer()
    {
        var old = _buffer;
        _buffer = [];
        _start = _end = 0;
        _reserved = -1;
        if (old.Length > 0)
            _pool.Return(old);
    }
}

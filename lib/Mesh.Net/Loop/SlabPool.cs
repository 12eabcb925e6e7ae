using System.Buffers;
using System.Diagnostics;
using System.Numerics;

namespace Mesh.Net.Loop;

/// <summary>The loop's own buffers: six size classes, no lock, counted. Rented and returned on the loop's thread.</summary>
/// <remarks>
/// A call from another thread is answered without touching the classes (fresh array, or dropped to the collector), so that a late Dispose cannot corrupt
/// them. What lay unused for a whole trim interval goes back to the collector: an idle agent is small again.
/// </remarks>
internal sealed class SlabPool : ArrayPool<byte>
{
    private const int SmallestShift = 10; // 1 KiB
    private const int Classes = 6;        // each four times the one before: 1K 4K 16K 64K 256K 1M

    /// <summary>Most arrays kept per class: at most 2 MiB each, about 10 MiB a loop, and trimmed when not used.</summary>
    private static readonly int[] s_keep = [1024, 512, 128, 32, 8, 2];

    private readonly EventLoop _loop;
    private readonly byte[]?[][] _free;
    private readonly int[] _count = new int[Classes];
    private readonly int[] _lowest = new int[Classes];
    private long _rented;
    private long _rentedElsewhere;

    internal SlabPool(EventLoop loop)
    {
        _loop = loop;
        _free = new byte[]?[Classes][];
        for (var i = 0; i < Classes; i++)
            _free[i] = [];
    }

    /// <summary>Bytes of the arrays that are out; readable from any thread.</summary>
    internal long RentedBytes => Volatile.Read(ref _rented) + Volatile.Read(ref _rentedElsewhere);

    /// <summary>Bytes of the arrays kept for reuse.</summary>
    internal long RetainedBytes
    {
        get
        {
            long sum = 0;
            for (var i = 0; i < Classes; i++)
                sum += (long)Volatile.Read(ref _count[i]) * Size(i);
            return sum;
        }
    }

    public override byte[] Rent(int minimumLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(minimumLength);
        var index = ClassFor(minimumLength);
        var length = index < Classes ? Size(index) : minimumLength;
        if (!_loop.InLoop)
        {
            Interlocked.Add(ref _rentedElsewhere, length);
            return GC.AllocateUninitializedArray<byte>(length);
        }

        Volatile.Write(ref _rented, _rented + length);
        if (index >= Classes || _count[index] == 0)
            return GC.AllocateUninitializedArray<byte>(length);
        var position = --_count[index];
        if (position < _lowest[index])
            _lowest[index] = position;
        var array = _free[index][position]!;
        _free[index][position] = null;
        return array;
    }

    public override void Return(byte[] array, bool clearArray = false)
    {
        ArgumentNullException.ThrowIfNull(array);
        if (clearArray)
            Array.Clear(array);
        if (!_loop.InLoop)
        {
            Interlocked.Add(ref _rentedElsewhere, -array.Length);
            return;
        }

        Volatile.Write(ref _rented, _rented - array.Length);
        var index = ClassFor(array.Length);
        if (index >= Classes || Size(index) != array.Length || _count[index] == s_keep[index])
            return;
        AssertNotReturned(index, array);
        if (_free[index].Length == _count[index])
            Array.Resize(ref _free[index], Math.Min(s_keep[index], Math.Max(4, _count[index] * 2)));
        _free[index][_count[index]++] = array;
        _loop.BufferReturned();
    }

    /// <summary>Drops what was not needed since the last call. Returns whether anything is still kept.</summary>
    internal bool Trim()
    {
        var kept = false;
        for (var i = 0; i < Classes; i++)
        {
            var drop = Math.Min(_lowest[i], _count[i]);
            var remaining = _count[i] - drop;
            Array.Clear(_free[i], remaining, drop);
            _count[i] = remaining;
            _lowest[i] = remaining;
            if (remaining == 0)
                _free[i] = [];
            kept |= remaining > 0;
        }

        return kept;
    }

    private static int Size(int index) => 1 << (SmallestShift + (2 * index));

    private static int ClassFor(int length) =>
        length <= 1 << SmallestShift ? 0 : (BitOperations.Log2((uint)(length - 1)) - SmallestShift + 2) / 2;

    [Conditional("DEBUG")]
    private void AssertNotReturned(int index, byte[] array)
    {
        // The newest few only: a double return is nearly always one right after the other.
        for (var i = _count[index] - 1; i >= Math.Max(0, _count[index] - 8); i--)
            Debug.Assert(!ReferenceEquals(_free[index][i], array), "a buffer was returned twice");
    }
}

using System.Buffers;

namespace Mesh.Testing;

/// <summary>
/// A pool that knows who still owes it an array. An array is handed out dirty and exactly as long as asked, and is overwritten when it comes back,
/// so that code which reads beyond its length or after its return fails instead of working by luck. A second return throws.
/// </summary>
public sealed class TrackingArrayPool : ArrayPool<byte>
{
    private const byte Dirt = 0xa5;

    private readonly HashSet<byte[]> _out = new(ReferenceEqualityComparer.Instance);

    public int Outstanding => _out.Count;

    public long OutstandingBytes => _out.Sum(a => (long)a.Length);

    public override byte[] Rent(int minimumLength)
    {
        var array = new byte[minimumLength];
        array.AsSpan().Fill(Dirt);
        _out.Add(array);
        return array;
    }

    public override void Return(byte[] array, bool clearArray = false)
    {
        ArgumentNullException.ThrowIfNull(array);
        if (!_out.Remove(array))
            throw new InvalidOperationException($"an array of {array.Length} bytes was returned that this pool had not handed out, or twice");
        array.AsSpan().Fill(Dirt);
    }
}

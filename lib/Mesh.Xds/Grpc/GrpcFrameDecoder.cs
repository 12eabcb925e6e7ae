using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;

namespace Mesh.Xds.Grpc;

/// <summary>Cuts a byte stream into gRPC messages; pure, no I/O.</summary>
/// <remarks>
/// <code>
/// +---------------+-----------------------------+------------------+
/// | compressed (8)| message length (32, big end)| message (length) |
/// +---------------+-----------------------------+------------------+
/// </code>
/// Owned by one reader. The buffer grows with the bytes that have arrived, never with the length that the peer claims:
/// announcing 200 MiB costs the peer 200 MiB of sending before it costs us the memory.
/// </remarks>
public sealed class GrpcFrameDecoder(int maxMessageSize = GrpcFrameDecoder.DefaultMaxMessageSize) : IDisposable
{
    /// <summary>A wildcard answer for a large mesh is one message; 200 MiB is what the ztunnel of Istio accepts.</summary>
    public const int DefaultMaxMessageSize = 200 * 1024 * 1024;

    public const int PrefixLength = 5;

    // Arrays above this are not worth keeping in the shared pool after one full sync.
    private const int LargestPooled = 1 << 20;

    private readonly byte[] _prefix = new byte[PrefixLength];
    private int _prefixFilled;
    private byte[] _buffer = [];
    private int _length;
    private int _filled;

    /// <summary>True between the first byte of a prefix and the last byte of its message: the stream must not end here.</summary>
    public bool IsMidMessage => _prefixFilled > 0 && !IsComplete;

    public bool IsComplete { get; private set; }

    /// <summary>The complete message; lent until <see cref="Next"/>.</summary>
    public ReadOnlySpan<byte> Message
    {
        get
        {
            Debug.Assert(IsComplete, "a message is asked for before it is complete");
            return _buffer.AsSpan(0, _length);
        }
    }

    /// <summary>Takes bytes up to the end of the current message and says how many; check <see cref="IsComplete"/> afterwards.</summary>
    public int Feed(ReadOnlySpan<byte> bytes)
    {
        var taken = 0;
        if (_prefixFilled < PrefixLength)
        {
            taken = Math.Min(PrefixLength - _prefixFilled, bytes.Length);
            bytes[..taken].CopyTo(_prefix.AsSpan(_prefixFilled));
            _prefixFilled += taken;
            if (_prefixFilled < PrefixLength)
                return taken;
            ReadPrefix();
        }

        var piece = Math.Min(_length - _filled, bytes.Length - taken);
        if (piece > 0)
        {
            EnsureRoom(_filled + piece);
            bytes.Slice(taken, piece).CopyTo(_buffer.AsSpan(_filled));
            _filled += piece;
            taken += piece;
        }

        IsComplete = _filled == _length;
        return taken;
    }

    /// <summary>Gives the message back and waits for the next prefix.</summary>
    public void Next()
    {
        _prefixFilled = 0;
        _length = 0;
        _filled = 0;
        IsComplete = false;
        Release();
    }

    public void Dispose() => Release();

    private void ReadPrefix()
    {
        if (_prefix[0] != 0)
        {
            throw new GrpcException(GrpcStatusCode.Unimplemented, _prefix[0] == 1
                ? "the peer sent a compressed message although only identity was offered"
                : $"the first byte of a message is {_prefix[0]}; 0 or 1 was expected");
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(_prefix.AsSpan(1));
        if (length > (uint)maxMessageSize)
            throw new GrpcException(GrpcStatusCode.ResourceExhausted, $"a message of {length} bytes is larger than the limit of {maxMessageSize}");
        _length = (int)length;
    }

    private void EnsureRoom(int needed)
    {
        if (_buffer.Length >= needed)
            return;
        var grown = (int)Math.Min(_length, Math.Max(needed, _buffer.Length * 2L));
        var next = grown <= LargestPooled ? ArrayPool<byte>.Shared.Rent(grown) : GC.AllocateUninitializedArray<byte>(grown);
        _buffer.AsSpan(0, _filled).CopyTo(next);
        Release();
        _buffer = next;
    }

    private void Release()
    {
        if (_buffer.Length is > 0 and <= LargestPooled)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }
}

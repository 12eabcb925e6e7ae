using System.Buffers;

namespace Mesh.Net.Loop;

/// <summary>One contiguous buffer under a sequence: its positions are plain indexes, which a sequence over an array does not promise.</summary>
internal sealed class PipeSegment : ReadOnlySequenceSegment<byte>
{
    internal ReadOnlySequence<byte> Of(byte[] buffer, int start, int end)
    {
        Memory = buffer;
        return new ReadOnlySequence<byte>(this, start, this, end);
    }

    internal void Clear() => Memory = default;
}

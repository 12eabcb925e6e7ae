using System.Buffers.Binary;

namespace Mesh.Runtime.Admin;

/// <summary>A valid Zstandard frame (RFC 8878) of raw blocks.</summary>
/// <remarks>.NET 10 has no Zstandard compressor. Scrapers that accept nothing else must still be answered, the page is then as long as before.</remarks>
internal sealed class StoredZstandardStream(Stream output) : Stream
{
    private const int LargestBlock = 128 * 1024; // RFC 8878 section 3.1.1.2.4
    private bool _started;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        Start();
        while (!buffer.IsEmpty)
        {
            var piece = buffer[..Math.Min(buffer.Length, LargestBlock)];
            Block(piece, last: false);
            buffer = buffer[piece.Length..];
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush() => output.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Start();
            Block([], last: true);
        }

        base.Dispose(disposing);
    }

    private void Start()
    {
        if (_started)
            return;
        _started = true;
        // Magic number, no checksum, no dictionary, no content size; window descriptor 0x38 = 2^17 bytes, the largest block.
        output.Write([0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x38]);
    }

    // Block header, 3 bytes little endian: last (1 bit), type (2 bits, 0 = raw), size (21 bits).
    private void Block(ReadOnlySpan<byte> piece, bool last)
    {
        Span<byte> header = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(header, (piece.Length << 3) | (last ? 1 : 0));
        output.Write(header[..3]);
        output.Write(piece);
    }
}

using System.Buffers.Binary;
using System.Text;
using Mesh.Testing.Http2;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>HTTP/2 frame by frame, right or wrong as the caller wants. Gives flow control credit back for DATA; nothing else happens by itself.</summary>
internal sealed class Http2Wire(Stream stream) : IDisposable
{
    public const byte EndStream = 1;
    public const byte Ack = 1;

    private const byte EndHeaders = 4;
    private const int FrameSize = 16384;

    private static readonly Dictionary<string, byte> Types = new()
    {
        ["DATA"] = 0, ["HEADERS"] = 1, ["RST_STREAM"] = 3, ["SETTINGS"] = 4, ["PING"] = 6, ["GOAWAY"] = 7, ["WINDOW_UPDATE"] = 8, ["CONTINUATION"] = 9,
    };

    private readonly WireReader _reader = new();
    private readonly Queue<WireFrame> _frames = new();
    private readonly SemaphoreSlim _writing = new(1);
    private readonly byte[] _buffer = new byte[64 * 1024];

    public void Dispose() => _writing.Dispose();

    /// <summary>Null at the end of the stream.</summary>
    public async Task<WireFrame?> ReadAsync(CancellationToken cancellation)
    {
        while (_frames.Count == 0)
        {
            var count = await stream.ReadAsync(_buffer, cancellation);
            if (count == 0)
                return null;
            foreach (var one in _reader.Read(_buffer.AsSpan(0, count)))
                _frames.Enqueue(one);
        }

        var frame = _frames.Dequeue();
        if (frame is { Type: "DATA", Payload.Length: > 0 })
            await WriteAsync((byte[])[.. Frame("WINDOW_UPDATE", 0, 0, BigEndian(frame.Payload.Length)), .. Frame("WINDOW_UPDATE", 0, frame.StreamId, BigEndian(frame.Payload.Length))], cancellation);
        else if (frame is { Type: "SETTINGS", Ack: false })
            await WriteAsync(Frame("SETTINGS", Ack, 0, []), cancellation);
        else if (frame is { Type: "PING", Ack: false })
            await WriteAsync(Frame("PING", Ack, 0, frame.Payload), cancellation);
        return frame;
    }

    public async Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        await _writing.WaitAsync(cancellation);
        try
        {
            await stream.WriteAsync(bytes, cancellation);
        }
        finally
        {
            _writing.Release();
        }
    }

    public static byte[] Frame(string type, byte flags, uint id, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[9 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, payload.Length << 8);
        frame[3] = Types[type];
        frame[4] = flags;
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(5), id);
        payload.CopyTo(frame.AsSpan(9));
        return frame;
    }

    /// <summary>HEADERS, with CONTINUATION where one frame does not hold them. Names go out as they are, also wrong ones.</summary>
    public static byte[] Headers(uint id, IEnumerable<(string Name, string Value)> fields, bool end)
    {
        var block = new List<byte>();
        foreach (var (name, value) in fields)
        {
            // RFC 7541 6.2.2: a literal without indexing, with a new name; no Huffman.
            block.Add(0);
            AddString(block, name);
            AddString(block, value);
        }

        var result = new List<byte>();
        var bytes = block.ToArray().AsSpan();
        for (var first = true; first || !bytes.IsEmpty; first = false)
        {
            var piece = bytes[..Math.Min(bytes.Length, FrameSize)];
            bytes = bytes[piece.Length..];
            var flags = (byte)((bytes.IsEmpty ? EndHeaders : 0) | (first && end ? EndStream : 0));
            result.AddRange(Frame(first ? "HEADERS" : "CONTINUATION", flags, id, piece));
        }

        return [.. result];
    }

    public static byte[] Data(uint id, ReadOnlySpan<byte> data, bool end)
    {
        var result = new List<byte>();
        for (var first = true; first || !data.IsEmpty; first = false)
        {
            var piece = data[..Math.Min(data.Length, FrameSize)];
            data = data[piece.Length..];
            result.AddRange(Frame("DATA", end && data.IsEmpty ? EndStream : (byte)0, id, piece));
        }

        return [.. result];
    }

    public static byte[] Reset(uint id, int code) => Frame("RST_STREAM", 0, id, BigEndian(code));

    public static byte[] BigEndian(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }

    private static void AddString(List<byte> block, string text)
    {
        // RFC 7541 5.1, seven bits of prefix.
        var length = text.Length;
        if (length < 127)
        {
            block.Add((byte)length);
        }
        else
        {
            block.Add(127);
            for (length -= 127; length >= 128; length >>= 7)
                block.Add((byte)((length & 127) | 128));
            block.Add((byte)length);
        }

        block.AddRange(Encoding.Latin1.GetBytes(text));
    }
}

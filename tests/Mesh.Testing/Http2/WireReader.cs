using Mesh.Http2;
using Mesh.Http2.Framing;
using Mesh.Http2.Hpack;

namespace Mesh.Testing.Http2;

/// <summary>Cuts what an engine or a program has sent into frames, and decodes field sections in step with its encoder.</summary>
public sealed class WireReader
{
    private readonly HpackDecoder _decoder = new();
    private readonly List<byte> _rest = [];
    private readonly List<byte> _block = [];

    /// <summary>The client preface was seen and taken off.</summary>
    public bool SawPreface { get; private set; }

    public IReadOnlyList<WireFrame> Read(ReadOnlySpan<byte> bytes)
    {
        _rest.AddRange(bytes);
        var data = _rest.ToArray().AsSpan();
        if (data.StartsWith(Protocol.Preface))
        {
            SawPreface = true;
            data = data[Protocol.Preface.Length..];
        }

        var frames = new List<WireFrame>();
        while (data.Length >= FrameHeader.Size && FrameHeader.Read(data) is var header && data.Length >= FrameHeader.Size + header.Length)
        {
            var payload = data.Slice(FrameHeader.Size, header.Length).ToArray();
            frames.Add(new WireFrame(header.Type.ToString(), (byte)header.Flags, header.StreamId, payload, DecodeHeaders(header, payload)));
            data = data[(FrameHeader.Size + header.Length)..];
        }

        var left = data.ToArray();
        _rest.Clear();
        _rest.AddRange(left);
        return frames;
    }

    private HeaderList? DecodeHeaders(FrameHeader header, byte[] payload)
    {
        if (header.Type is not (FrameType.HEADERS or FrameType.CONTINUATION))
            return null;
        _block.AddRange(payload);
        if (!header.Has(FrameFlags.EndHeaders))
            return null;
        var headers = new HeaderList();
        if (_decoder.Decode(_block.ToArray(), headers, int.MaxValue) != HpackStatus.Ok)
            throw new InvalidOperationException($"stream {header.StreamId}: the field section cannot be decoded");
        _block.Clear();
        return headers;
    }
}

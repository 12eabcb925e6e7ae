using System.Buffers.Binary;
using System.Text;
using Mesh.Http2;
using Mesh.Http2.Framing;
using Mesh.Http2.Hpack;

namespace Mesh.Testing.Http2;

/// <summary>
/// The other end of an engine under test, frame by frame, right or wrong as the test wants: Send… methods feed the engine, <see cref="Take"/> and
/// <see cref="Expect"/> read what it answered. Nothing is sent or checked behind the test's back, except the handshake that the factories make.
/// </summary>
public sealed class ScriptedHttp2Peer
{
    private readonly HpackEncoder _encoder = new();
    private readonly WireReader _reader = new();
    private readonly Queue<WireFrame> _received = new();

    private ScriptedHttp2Peer(Http2Role role, Http2Options options, RecordingHttp2Handler? handler)
    {
        Handler = handler ?? new RecordingHttp2Handler();
        Connection = new Http2Connection(role, options, Handler);
    }

    public Http2Connection Connection { get; }

    public RecordingHttp2Handler Handler { get; }

    /// <summary>We play the client of a server engine. With <paramref name="handshake"/> both SETTINGS are exchanged and taken off.</summary>
    public static ScriptedHttp2Peer OfServer(Http2Options? options = null, bool handshake = true, RecordingHttp2Handler? handler = null) =>
        Start(new ScriptedHttp2Peer(Http2Role.Server, options ?? Http2Options.ForServer, handler), handshake);

    /// <summary>We play the server of a client engine.</summary>
    public static ScriptedHttp2Peer OfClient(Http2Options? options = null, bool handshake = true, RecordingHttp2Handler? handler = null) =>
        Start(new ScriptedHttp2Peer(Http2Role.Client, options ?? Http2Options.ForClient, handler), handshake);

    public void SendRaw(ReadOnlySpan<byte> bytes) => Connection.Receive(bytes);

    public void SendPreface() => SendRaw(Protocol.Preface);

    public void SendFrame(string type, int flags, uint stream, ReadOnlySpan<byte> payload) =>
        SendFrame((byte)Enum.Parse<FrameType>(type), flags, stream, payload);

    public void SendFrame(byte type, int flags, uint stream, ReadOnlySpan<byte> payload) =>
        SendRaw(WireFrame.Build((FrameType)type, (byte)flags, stream, payload));

    public void SendSettings(params (int Id, uint Value)[] settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var payload = new byte[settings.Length * 6];
        for (var i = 0; i < settings.Length; i++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(payload.AsSpan(i * 6), (ushort)settings[i].Id);
            BinaryPrimitives.WriteUInt32BigEndian(payload.AsSpan((i * 6) + 2), settings[i].Value);
        }

        SendFrame("SETTINGS", 0, 0, payload);
    }

    public void SendSettingsAck() => SendFrame("SETTINGS", 1, 0, default);

    public byte[] Encode(HeaderList headers)
    {
        var buffer = new byte[HpackEncoder.MaxLength(headers)];
        return buffer[.._encoder.Encode(headers, buffer)];
    }

    public void SendHeaders(uint stream, HeaderList headers, bool endStream = false) => SendFrame("HEADERS", endStream ? 5 : 4, stream, Encode(headers));

    /// <summary>A CONNECT as an HBONE client sends it.</summary>
    public void SendConnect(uint stream, string authority = "198.18.1.21:8080") => SendHeaders(stream, HeaderList.Connect(authority));

    public void SendResponse(uint stream, int status, bool endStream = false) => SendHeaders(stream, HeaderList.Response(status), endStream);

    public void SendData(uint stream, ReadOnlySpan<byte> data, bool endStream = false) => SendFrame("DATA", endStream ? 1 : 0, stream, data);

    public void SendData(uint stream, string text, bool endStream = false) => SendData(stream, Encoding.Latin1.GetBytes(text), endStream);

    public void SendPaddedData(uint stream, string text, int padding, bool endStream = false) =>
        SendFrame("DATA", endStream ? 9 : 8, stream, [(byte)padding, .. Encoding.Latin1.GetBytes(text), .. new byte[padding]]);

    public void SendReset(uint stream, Http2ErrorCode code) => SendFrame("RST_STREAM", 0, stream, BigEndian((uint)code));

    public void SendWindowUpdate(uint stream, uint increment) => SendFrame("WINDOW_UPDATE", 0, stream, BigEndian(increment));

    public void SendPing(ulong opaque, bool ack = false)
    {
        Span<byte> payload = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(payload, opaque);
        SendFrame("PING", ack ? 1 : 0, 0, payload);
    }

    public void SendGoAway(uint lastStream, Http2ErrorCode code, string debug = "") =>
        SendFrame("GOAWAY", 0, 0, [.. BigEndian(lastStream), .. BigEndian((uint)code), .. Encoding.Latin1.GetBytes(debug)]);

    /// <summary>Everything the engine has sent since the last call.</summary>
    public IReadOnlyList<WireFrame> Take()
    {
        Drain();
        var frames = _received.ToList();
        _received.Clear();
        return frames;
    }

    /// <summary>The next frame, which has to be of this type and, where given, on this stream.</summary>
    public WireFrame Expect(string type, uint? stream = null)
    {
        Drain();
        if (!_received.TryDequeue(out var frame))
            throw new InvalidOperationException($"expected {type}, the engine has sent nothing more; events: {string.Join(", ", Handler.Events)}");
        if (frame.Type != type || (stream is { } id && frame.StreamId != id))
            throw new InvalidOperationException($"expected {type} on {stream}, got {frame}");
        return frame;
    }

    public void ExpectNothing()
    {
        Drain();
        if (_received.Count > 0)
            throw new InvalidOperationException($"expected nothing, got {string.Join(", ", _received)}");
    }

    private static ScriptedHttp2Peer Start(ScriptedHttp2Peer peer, bool handshake)
    {
        peer.Connection.Start();
        if (!handshake)
            return peer;
        if (peer.Connection.Role == Http2Role.Server)
            peer.SendPreface();
        peer.SendSettings();
        peer.SendSettingsAck();
        peer.Take();
        peer.Handler.TakeEvents();
        return peer;
    }

    private void Drain()
    {
        // In pieces, so that reading the output is exercised as an owner does it whose socket takes little.
        while (Connection.Output.Length > 0)
        {
            var count = Math.Min(Connection.Output.Length, 7000);
            foreach (var frame in _reader.Read(Connection.Output.Pending.Span[..count]))
                _received.Enqueue(frame);
            Connection.Output.Advance(count);
        }
    }

    private static byte[] BigEndian(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }
}

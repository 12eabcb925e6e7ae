using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Mesh.Http2;
using Mesh.Http2.Framing;
using Mesh.Http2.Hpack;

namespace Mesh.Testing.Http2;

/// <summary>
/// One end of an HTTP/2 connection over a plain socket, frame by frame, right or wrong as the test wants. Only SETTINGS and PING are answered by
/// themselves while frames are read, because nobody tests that they are.
/// </summary>
public sealed class RawHttp2Socket : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Socket _socket;
    private readonly HpackEncoder _encoder = new();
    private readonly WireReader _reader = new();
    private readonly Queue<WireFrame> _frames = new();
    private readonly byte[] _buffer = new byte[64 * 1024];

    private RawHttp2Socket(Socket socket) => _socket = socket;

    /// <summary>The SETTINGS of the other end, as "NAME=value"; there after the first frame was read.</summary>
    public IReadOnlyList<string> PeerSettings { get; private set; } = [];

    public bool AnswersSettings { get; init; } = true;

    /// <summary>WINDOW_UPDATE is the test's, too.</summary>
    public bool ShowsWindowUpdates { get; set; }

    /// <summary>A client: preface and SETTINGS are sent.</summary>
    public static async Task<RawHttp2Socket> ConnectAsync(IPEndPoint address)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address);
        var client = new RawHttp2Socket(socket);
        await client.SendRawAsync((byte[])[.. Protocol.Preface, .. WireFrame.Build(FrameType.SETTINGS, 0, 0, [])]);
        return client;
    }

    /// <summary>A server on an accepted socket.</summary>
    /// <param name="maxConcurrentStreams">Null: any number.</param>
    /// <param name="sendsSettings">False: the test does, and the other end's are not answered, since ours come first (RFC 9113, 3.4).</param>
    public static async Task<RawHttp2Socket> AcceptAsync(Socket socket, uint? maxConcurrentStreams = null, bool sendsSettings = true)
    {
        var server = new RawHttp2Socket(socket) { AnswersSettings = sendsSettings };
        if (sendsSettings)
            await server.SendSettingsAsync(maxConcurrentStreams);
        return server;
    }

    /// <summary>SETTINGS with the limit of streams, or with nothing.</summary>
    public Task SendSettingsAsync(uint? maxConcurrentStreams) =>
        SendFrameAsync("SETTINGS", 0, 0, maxConcurrentStreams is { } streams ? (byte[])[0, 3, .. BigEndian(streams)] : default);

    public async Task SendRawAsync(ReadOnlyMemory<byte> bytes)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (bytes.Length > 0)
            bytes = bytes[await _socket.SendAsync(bytes, patience.Token)..];
    }

    public Task SendFrameAsync(string type, int flags, uint stream, ReadOnlyMemory<byte> payload) =>
        SendRawAsync(WireFrame.Build(Enum.Parse<FrameType>(type), (byte)flags, stream, payload.Span));

    /// <summary>In one HEADERS frame; fields may break every rule.</summary>
    public Task SendHeadersAsync(uint stream, bool endStream, params (string Name, string Value)[] fields)
    {
        var list = new HeaderList();
        foreach (var (name, value) in fields)
            list.Add(name, value);
        var block = new byte[HpackEncoder.MaxLength(list)];
        var length = _encoder.Encode(list, block);
        return SendBlockAsync(stream, endStream, block.AsMemory(0, length));
    }

    public Task SendRequestAsync(uint stream, string method, string path, bool endStream = true, params (string Name, string Value)[] fields) =>
        SendHeadersAsync(stream, endStream, [(":method", method), (":scheme", "http"), (":authority", "any.example"), (":path", path), .. fields]);

    public Task SendDataAsync(uint stream, string text, bool endStream = false) => SendFrameAsync("DATA", endStream ? 1 : 0, stream, Encoding.Latin1.GetBytes(text));

    public Task SendResetAsync(uint stream, Http2ErrorCode code) => SendFrameAsync("RST_STREAM", 0, stream, BigEndian((uint)code));

    public Task SendGoAwayAsync(uint lastStream) => SendFrameAsync("GOAWAY", 0, 0, (byte[])[.. BigEndian(lastStream), 0, 0, 0, 0]);

    /// <summary>The next frame that is not SETTINGS, WINDOW_UPDATE or PING; null: the connection has ended.</summary>
    public async Task<WireFrame?> ReadAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            while (_frames.TryDequeue(out var frame))
            {
                if (!await HandleAsync(frame))
                    return frame;
            }

            int count;
            try
            {
                count = await _socket.ReceiveAsync(_buffer, patience.Token);
            }
            catch (SocketException)
            {
                return null;
            }

            if (count == 0)
                return null;
            foreach (var frame in _reader.Read(_buffer.AsSpan(0, count)))
                _frames.Enqueue(frame);
        }
    }

    /// <summary>Reads until this stream has ended.</summary>
    /// <returns>Its status (0: none), its body, and the code of its reset.</returns>
    public async Task<(int Status, string Body, Http2ErrorCode? Reset, HeaderList? Headers, HeaderList? Trailers)> ResponseAsync(uint stream)
    {
        HeaderList? headers = null;
        HeaderList? trailers = null;
        var body = new StringBuilder();
        while (await ReadAsync() is { } frame)
        {
            if (frame.StreamId != stream)
                continue;
            if (frame.Type == "RST_STREAM")
                return (headers?.Status ?? 0, body.ToString(), frame.ErrorCode, headers, trailers);
            if (frame.Headers is { } fields)
                (headers, trailers) = headers is null ? (fields, trailers) : (headers, fields);
            else if (frame.Type == "DATA")
                body.Append(frame.Text);
            if (frame.EndStream)
                return (headers?.Status ?? 0, body.ToString(), null, headers, trailers);
        }

        return (headers?.Status ?? 0, body.ToString(), Http2ErrorCode.CONNECT_ERROR, headers, trailers);
    }

    /// <summary>Reads until GOAWAY or the end of the connection; null: it ended without a word.</summary>
    public async Task<WireFrame?> GoAwayAsync()
    {
        while (await ReadAsync() is { } frame)
        {
            if (frame.Type == "GOAWAY")
                return frame;
        }

        return null;
    }

    /// <summary>A FIN; still reads.</summary>
    public void EndSending() => _socket.Shutdown(SocketShutdown.Send);

    public void Dispose() => _socket.Dispose();

    // The frame's header says how long; a block that is longer than a frame may be goes on in CONTINUATION.
    private async Task SendBlockAsync(uint stream, bool endStream, ReadOnlyMemory<byte> block)
    {
        const int Most = 16384;
        var first = block[..Math.Min(Most, block.Length)];
        var rest = block[first.Length..];
        await SendFrameAsync("HEADERS", (endStream ? 1 : 0) | (rest.IsEmpty ? 4 : 0), stream, first);
        while (!rest.IsEmpty)
        {
            var next = rest[..Math.Min(Most, rest.Length)];
            rest = rest[next.Length..];
            await SendFrameAsync("CONTINUATION", rest.IsEmpty ? 4 : 0, stream, next);
        }
    }

    private async Task<bool> HandleAsync(WireFrame frame)
    {
        switch (frame.Type)
        {
            case "SETTINGS" when !frame.Ack:
                PeerSettings = frame.Settings;
                if (AnswersSettings)
                    await TrySendAsync("SETTINGS", []);
                return true;
            case "PING" when !frame.Ack:
                await TrySendAsync("PING", frame.Payload);
                return true;
            case "SETTINGS" or "PING":
                return true;
            case "WINDOW_UPDATE":
                return !ShowsWindowUpdates;
            default:
                return false;
        }
    }

    private async Task TrySendAsync(string type, byte[] payload)
    {
        try
        {
            await SendFrameAsync(type, 1, 0, payload);
        }
        catch (SocketException)
        {
            // It has closed after it had sent this.
        }
    }

    private static byte[] BigEndian(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }
}

using System.Text;
using Mesh.Http2;

namespace Mesh.Testing.Http2;

/// <summary>
/// Writes down everything an engine reports, as short texts in order ("headers 1 end", "data 1 5", "reset 1 CANCEL peer"). Pieces of one body that
/// follow each other are one text, so that a record does not depend on how the input was cut.
/// </summary>
public sealed class RecordingHttp2Handler : IHttp2Handler
{
    private readonly Dictionary<uint, MemoryStream> _bodies = [];
    private readonly Dictionary<uint, Http2Stream> _streams = [];
    private readonly Dictionary<uint, List<HeaderList>> _headers = [];
    private readonly List<string> _events = [];
    private (uint Stream, int Bytes) _data;

    /// <summary>Gives credit back at once, as an owner does whose consumer keeps up.</summary>
    public bool ConsumeAtOnce { get; set; } = true;

    public Action<Http2Stream, HeaderList, bool>? WhenHeaders { get; set; }

    public Action<Http2Stream, int>? WhenData { get; set; }

    public Action<Http2Stream>? WhenEndStream { get; set; }

    public Action<Http2Stream>? WhenWritable { get; set; }

    public Action<Http2Stream>? WhenClosed { get; set; }

    public Http2ConnectionError? Error { get; private set; }

    public int OutputReadyCalls { get; private set; }

    /// <summary>Everything since the beginning or the last <see cref="TakeEvents"/>.</summary>
    public IReadOnlyList<string> Events
    {
        get
        {
            FlushData();
            return _events;
        }
    }

    public Http2Stream Stream(uint id) => _streams.TryGetValue(id, out var stream) ? stream : throw new InvalidOperationException($"stream {id} was never reported");

    public bool HasSeen(uint id) => _streams.ContainsKey(id);

    public byte[] Body(uint id) => _bodies.TryGetValue(id, out var body) ? body.ToArray() : [];

    /// <summary>The body without a copy, valid until more of it arrives.</summary>
    public ReadOnlySpan<byte> BodySpan(uint id) => _bodies.TryGetValue(id, out var body) ? body.GetBuffer().AsSpan(0, (int)body.Length) : default;

    public string Text(uint id) => Encoding.Latin1.GetString(Body(id));

    /// <summary>The field sections of a stream: request or response, then trailers.</summary>
    public IReadOnlyList<HeaderList> Headers(uint id) => _headers.TryGetValue(id, out var lists) ? lists : [];

    public IReadOnlyList<string> TakeEvents()
    {
        var events = Events.ToArray();
        _events.Clear();
        return events;
    }

    public void OnHeaders(Http2Stream stream, HeaderList headers, bool endStream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Keep(stream);
        if (!_headers.TryGetValue(stream.Id, out var lists))
            _headers.Add(stream.Id, lists = []);
        lists.Add(headers);
        Add($"headers {stream.Id}{(endStream ? " end" : string.Empty)}");
        WhenHeaders?.Invoke(stream, headers, endStream);
    }

    public void OnInformational(Http2Stream stream, HeaderList headers)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(headers);
        Keep(stream);
        Add($"informational {stream.Id} {headers.Status}");
    }

    public void OnData(Http2Stream stream, ReadOnlySpan<byte> data)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Keep(stream);
        if (!_bodies.TryGetValue(stream.Id, out var body))
            _bodies.Add(stream.Id, body = new MemoryStream());
        body.Write(data);
        if (_data.Bytes > 0 && _data.Stream != stream.Id)
            FlushData();
        _data = (stream.Id, _data.Bytes + data.Length);
        WhenData?.Invoke(stream, data.Length);
        if (ConsumeAtOnce)
            stream.Consume(Math.Min(data.Length, stream.UnconsumedBytes));
    }

    public void OnEndStream(Http2Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Add($"end {stream.Id}");
        WhenEndStream?.Invoke(stream);
    }

    public void OnReset(Http2Stream stream, Http2ErrorCode code, bool byPeer)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Keep(stream);
        Add($"reset {stream.Id} {code} {(byPeer ? "peer" : "own")}");
    }

    public void OnWritable(Http2Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Add($"writable {stream.Id}");
        WhenWritable?.Invoke(stream);
    }

    public void OnStreamClosed(Http2Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Keep(stream);
        Add($"closed {stream.Id}");
        WhenClosed?.Invoke(stream);
    }

    public void OnStreamsAvailable() => Add("streams available");

    public void OnSettings() => Add("settings");

    public void OnPingAck(ulong opaque) => Add($"ping ack {opaque:x}");

    public void OnGoAway(uint lastStreamId, Http2ErrorCode code, ReadOnlySpan<byte> debug) =>
        Add($"goaway {lastStreamId} {code} {Encoding.Latin1.GetString(debug)}".TrimEnd());

    public void OnConnectionError(Http2ConnectionError error)
    {
        ArgumentNullException.ThrowIfNull(error);
        Error = error;
        Add($"error {error.Code}");
    }

    public void OnDrained() => Add("drained");

    public void OnOutputReady() => OutputReadyCalls++;

    private void Keep(Http2Stream stream) => _streams[stream.Id] = stream;

    private void Add(string text)
    {
        FlushData();
        _events.Add(text);
    }

    private void FlushData()
    {
        if (_data.Bytes > 0)
            _events.Add($"data {_data.Stream} {_data.Bytes}");
        _data = default;
    }
}

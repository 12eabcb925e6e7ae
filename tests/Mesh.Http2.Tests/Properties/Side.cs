namespace Mesh.Http2.Tests.Properties;

/// <summary>
/// One engine and its owner. Octet n of a stream's direction has a value that follows from both, so a receiver notices loss, repetition and
/// mixing of streams at the first wrong octet.
/// </summary>
internal sealed class Side : IHttp2Handler
{
    private readonly Random _random;
    private readonly List<Http2Stream> _writable = [];
    private readonly List<Http2Stream> _all = [];
    private readonly HashSet<uint> _blocked = [];

    public Side(Http2Role role, Http2Options options, Random random)
    {
        _random = random;
        Connection = new Http2Connection(role, options, this);
    }

    public Http2Connection Connection { get; }

    public Dictionary<uint, long> Sent { get; } = [];

    public Dictionary<uint, long> Received { get; } = [];

    public HashSet<uint> Ended { get; } = [];

    public HashSet<uint> WereReset { get; } = [];

    public List<uint> Closed { get; } = [];

    public Http2ConnectionError? Error { get; private set; }

    public long Progress => Sent.Values.Sum() + Received.Values.Sum() + Ended.Count + Closed.Count;

    public void Begin(Http2Stream stream)
    {
        _writable.Add(stream);
        _all.Add(stream);
        Sent[stream.Id] = 0;
    }

    public void WriteSome()
    {
        if (Pick(_writable) is { } stream && !_blocked.Contains(stream.Id))
            Write(stream, 1 + _random.Next(_random.Next(5) == 0 ? 60_000 : 600), end: false);
    }

    public void EndOne()
    {
        if (Pick(_writable) is { } stream && _random.Next(3) == 0)
            End(stream);
    }

    public void ResetOne()
    {
        if (Pick(_all) is not { State: not Http2StreamState.Closed } stream)
            return;
        WereReset.Add(stream.Id);
        stream.Reset(Http2ErrorCode.CANCEL);
    }

    public void ConsumeSome()
    {
        if (Pick(_all) is { UnconsumedBytes: > 0 } stream)
            stream.Consume(1 + _random.Next(stream.UnconsumedBytes));
    }

    public void ConsumeAll()
    {
        foreach (var stream in _all.ToArray())
            stream.Consume(stream.UnconsumedBytes);
    }

    public void FinishWriting()
    {
        foreach (var stream in _writable.ToArray())
            End(stream);
    }

    public void OnHeaders(Http2Stream stream, HeaderList headers, bool endStream)
    {
        if (Connection.Role == Http2Role.Client)
            return;
        stream.SendHeaders(HeaderList.Response(200), endStream: false);
        Begin(stream);
    }

    public void OnData(Http2Stream stream, ReadOnlySpan<byte> data)
    {
        var offset = Received.GetValueOrDefault(stream.Id);
        foreach (var octet in data)
            Assert.Equal(Octet(stream.Id, offset++, fromClient: Connection.Role == Http2Role.Server), octet);
        Received[stream.Id] = offset;
        if (_random.Next(3) == 0)
            stream.Consume(data.Length);
    }

    public void OnEndStream(Http2Stream stream) => Assert.True(Ended.Add(stream.Id), "a side ends once");

    public void OnReset(Http2Stream stream, Http2ErrorCode code, bool byPeer)
    {
        Assert.True(byPeer, $"the engine itself reset {stream}: {code}");
        Assert.True(code is Http2ErrorCode.CANCEL or Http2ErrorCode.REFUSED_STREAM, $"{code}");
        WereReset.Add(stream.Id);
    }

    public void OnWritable(Http2Stream stream)
    {
        Assert.True(_blocked.Remove(stream.Id), "only who waits is woken");
        Assert.True(stream.SendCredit > 0, "and only when there is credit");
        if (_random.Next(2) == 0)
            Write(stream, 1 + _random.Next(3000), end: false);
    }

    public void OnStreamClosed(Http2Stream stream)
    {
        Closed.Add(stream.Id);
        _writable.Remove(stream);
        _blocked.Remove(stream.Id);
    }

    public void OnStreamsAvailable() => Assert.True(Connection.CanOpenStream);

    public void OnSettings()
    {
    }

    public void OnPingAck(ulong opaque)
    {
    }

    public void OnGoAway(uint lastStreamId, Http2ErrorCode code, ReadOnlySpan<byte> debug)
    {
    }

    public void OnConnectionError(Http2ConnectionError error) => Error = error;

    public void OnOutputReady()
    {
    }

    private static byte Octet(uint id, long offset, bool fromClient) => (byte)((id * 31) + (offset * 7) + (offset >> 8) + (fromClient ? 0 : 101));

    private void End(Http2Stream stream)
    {
        if (!_writable.Remove(stream))
            return;
        _blocked.Remove(stream.Id);
        stream.EndStream();
    }

    private void Write(Http2Stream stream, int count, bool end)
    {
        var offset = Sent[stream.Id];
        if (_random.Next(2) == 0)
        {
            var data = new byte[count];
            Fill(data, stream.Id, offset);
            var taken = stream.Write(data, end);
            Sent[stream.Id] = offset + taken;
            if (taken < count)
                _blocked.Add(stream.Id);
            return;
        }

        var room = stream.GetDataBuffer(count);
        if (room.IsEmpty)
        {
            _blocked.Add(stream.Id);
            return;
        }

        var used = _random.Next(room.Length + 1);
        Fill(room[..used], stream.Id, offset);
        stream.CommitData(used);
        Sent[stream.Id] = offset + used;
    }

    private void Fill(Span<byte> target, uint id, long offset)
    {
        for (var i = 0; i < target.Length; i++)
            target[i] = Octet(id, offset + i, fromClient: Connection.Role == Http2Role.Client);
    }

    private T? Pick<T>(List<T> list)
        where T : class => list.Count == 0 ? null : list[_random.Next(list.Count)];
}

using Mesh.Http2;

namespace Mesh.Fuzz;

/// <summary>An owner that answers, writes, resets and consumes at random, and checks that the engine keeps the order IHttp2Handler promises.</summary>
internal sealed class LawfulHandler(Random random) : IHttp2Handler
{
    private readonly HashSet<Http2Stream> _known = [];
    private readonly HashSet<Http2Stream> _ended = [];
    private readonly HashSet<Http2Stream> _reset = [];
    private readonly HashSet<Http2Stream> _closed = [];
    private readonly HashSet<Http2Stream> _answered = [];

    public bool Failed { get; private set; }

    public void OnHeaders(Http2Stream stream, HeaderList headers, bool endStream)
    {
        AssertOpen(stream);
        Assert.DoesNotContain(stream, _ended);
        Assert.True(headers.Count >= 0);
        if (stream.Connection.Role == Http2Role.Client)
            _answered.Add(stream);
        DoAnything(stream);
    }

    public void OnInformational(Http2Stream stream, HeaderList headers) => AssertOpen(stream);

    public void OnData(Http2Stream stream, ReadOnlySpan<byte> data)
    {
        AssertOpen(stream);
        Assert.Contains(stream, _known);
        Assert.DoesNotContain(stream, _ended);
        Assert.False(data.IsEmpty, "no empty pieces");
        DoAnything(stream);
    }

    public void OnEndStream(Http2Stream stream)
    {
        AssertOpen(stream);
        Assert.True(_ended.Add(stream), "a side ends once");
        DoAnything(stream);
    }

    public void OnReset(Http2Stream stream, Http2ErrorCode code, bool byPeer)
    {
        AssertOpen(stream);
        Assert.True(_reset.Add(stream), "a stream is reset once");
        Assert.Equal(Http2StreamState.Closed, stream.State);
    }

    public void OnWritable(Http2Stream stream)
    {
        AssertOpen(stream);
        Assert.True(stream.SendCredit > 0, "woken without credit");
        DoAnything(stream);
    }

    public void OnStreamClosed(Http2Stream stream)
    {
        AssertOpen(stream);
        Assert.True(_closed.Add(stream), "a stream closes once");
        stream.Consume(stream.UnconsumedBytes);
    }

    public void OnStreamsAvailable() => AssertAlive();

    public void OnSettings() => AssertAlive();

    public void OnPingAck(ulong opaque) => AssertAlive();

    public void OnGoAway(uint lastStreamId, Http2ErrorCode code, ReadOnlySpan<byte> debug)
    {
        AssertAlive();
        Assert.True(debug.Length <= 1024, "debug data is cut");
    }

    public void OnDrained() => AssertAlive();

    public void OnConnectionError(Http2ConnectionError error)
    {
        AssertAlive();
        Assert.NotEmpty(error.Reason);
        Failed = true;
    }

    public void OnOutputReady() => AssertAlive();

    private void AssertOpen(Http2Stream stream)
    {
        AssertAlive();
        Assert.DoesNotContain(stream, _closed);
        _known.Add(stream);
    }

    private void AssertAlive() => Assert.False(Failed, "nothing is called after OnConnectionError");

    private void DoAnything(Http2Stream stream)
    {
        if (stream.UnconsumedBytes > 0 && random.Next(2) == 0)
            stream.Consume(1 + random.Next(stream.UnconsumedBytes));
        if (stream.State is Http2StreamState.Closed or Http2StreamState.HalfClosedLocal)
            return;
        if (stream.Connection.Role == Http2Role.Server && _answered.Add(stream))
        {
            stream.SendHeaders(HeaderList.Response(random.Next(5) == 0 ? 503 : 200), endStream: random.Next(5) == 0);
            return;
        }

        switch (random.Next(6))
        {
            case 0: stream.Write(new byte[random.Next(20_000)]); break;
            case 1:
                var room = stream.GetDataBuffer(1 + random.Next(20_000));
                if (!room.IsEmpty)
                    stream.CommitData(random.Next(room.Length + 1));
                break;
            case 2: stream.EndStream(); break;
            case 3: stream.Reset(Http2ErrorCode.CANCEL); break;
            default: break;
        }
    }
}

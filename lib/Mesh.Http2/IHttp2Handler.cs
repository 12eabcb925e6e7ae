namespace Mesh.Http2;

/// <summary>
/// What happens on a connection. Every method runs on the thread that called into the engine, inside <see cref="Http2Connection.Receive"/> or
/// inside a call on the connection, a stream or the output. It may call back into connection and streams, except <see cref="Http2Connection.Receive"/>.
/// </summary>
/// <remarks>
/// Per stream the order is: OnHeaders (again for trailers), OnData any number of times, OnEndStream at most once, OnReset at most once,
/// OnStreamClosed exactly once and last, unless the whole connection ended: after <see cref="OnConnectionError"/> nothing is called at all.
/// </remarks>
public interface IHttp2Handler
{
    /// <summary>Server: a request. Client: the response. A second call on the same stream carries trailers. With <paramref name="endStream"/> OnEndStream follows at once.</summary>
    void OnHeaders(Http2Stream stream, HeaderList headers, bool endStream);

    /// <summary>A piece of the body, lent until the method returns. Give the credit back with <see cref="Http2Stream.Consume"/> when it has been passed on.</summary>
    void OnData(Http2Stream stream, ReadOnlySpan<byte> data);

    /// <summary>The peer has ended its side (END_STREAM on DATA or HEADERS).</summary>
    void OnEndStream(Http2Stream stream);

    /// <summary>
    /// The stream ended by RST_STREAM: the peer's, or (<paramref name="byPeer"/> false) the engine's own because the peer broke a rule on it.
    /// A client also gets it with REFUSED_STREAM for streams that the peer's GOAWAY left out: those may be tried again elsewhere.
    /// Not called for the owner's own <see cref="Http2Stream.Reset"/>.
    /// </summary>
    void OnReset(Http2Stream stream, Http2ErrorCode code, bool byPeer);

    /// <summary>An earlier Write was short or GetDataBuffer was empty, and credit or output room is there again.</summary>
    void OnWritable(Http2Stream stream);

    /// <summary>Last callback of a stream. Bytes that are still unconsumed stay charged to the connection until they are consumed, except after a reset.</summary>
    void OnStreamClosed(Http2Stream stream);

    /// <summary>Client: <see cref="Http2Connection.OpenStream"/>, which was refused before by the peer's limit, may succeed again.</summary>
    void OnStreamsAvailable();

    /// <summary>The peer's SETTINGS have been applied and acknowledged.</summary>
    void OnSettings();

    void OnPingAck(ulong opaque);

    /// <summary>The peer will take no streams above <paramref name="lastStreamId"/>; <paramref name="debug"/> is lent and cut at 1 KiB.</summary>
    void OnGoAway(uint lastStreamId, Http2ErrorCode code, ReadOnlySpan<byte> debug);

    /// <summary>The connection is over. GOAWAY is in the output: flush it, then close. Nothing is called afterwards.</summary>
    void OnConnectionError(Http2ConnectionError error);

    /// <summary>The output became non-empty; the owner queues its flush. The engine may add more before the current call returns.</summary>
    void OnOutputReady();

    /// <summary>Client: a 1xx response that precedes the real one.</summary>
    void OnInformational(Http2Stream stream, HeaderList headers)
    {
    }

    /// <summary>A graceful shutdown is complete: the last GOAWAY is in the output and no stream is left. Flush, then close.</summary>
    void OnDrained()
    {
    }
}

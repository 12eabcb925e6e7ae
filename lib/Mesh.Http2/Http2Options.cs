namespace Mesh.Http2;

/// <summary>
/// Everything that can be set on an engine. Budgets of the abuse limits are counts of frames: the first number is what may come at once, the
/// second what <see cref="Http2Connection.Tick"/> gives back. A peer that exhausts one is sent GOAWAY(ENHANCE_YOUR_CALM).
/// </summary>
public sealed record Http2Options
{
    /// <summary>Our receive window per stream. A peer that exceeds it has the stream reset with FLOW_CONTROL_ERROR.</summary>
    public int InitialWindowSize { get; init; } = 4 * 1024 * 1024;

    /// <summary>
    /// Our receive window for the connection, four times a stream's: were they equal, a reader that takes two streams in dependent order could
    /// deadlock. Never below 65535, the protocol cannot shrink it. A peer that exceeds it is sent GOAWAY(FLOW_CONTROL_ERROR).
    /// </summary>
    public int ConnectionWindowSize { get; init; } = 16 * 1024 * 1024;

    /// <summary>The longest frame we take. A longer one is answered with GOAWAY(FRAME_SIZE_ERROR).</summary>
    public int MaxFrameSize { get; init; } = 1024 * 1024;

    /// <summary>The longest DATA frame we send, however much the peer allows: one stream must not hold the wire for long.</summary>
    public int MaxSendFrameSize { get; init; } = 256 * 1024;

    /// <summary>
    /// Largest field section, in RFC 7541 4.1 units. A larger request is answered with 431 and RST_STREAM, a larger response is reset. A block that is
    /// longer than twice this while still compressed ends the connection.
    /// </summary>
    public int MaxHeaderListSize { get; init; } = 65536;

    /// <summary>
    /// Streams that the peer may have open; further ones get RST_STREAM(REFUSED_STREAM). Null: no limit is announced or enforced. A limit below 100
    /// is enforced from the acknowledgement of our SETTINGS on.
    /// </summary>
    public int? MaxConcurrentStreams { get; init; }

    /// <summary>Streams a client opens before it knows the peer's limit.</summary>
    public int InitialPeerMaxConcurrentStreams { get; init; } = 100;

    /// <summary>Dynamic table that we offer the peer's encoder. Our own encoder uses at most 4096 octets whatever the peer offers.</summary>
    public int HeaderTableSize { get; init; } = 4096;

    /// <summary>CONTINUATION frames per field section, empty ones included.</summary>
    public int MaxContinuationFrames { get; init; } = 128;

    /// <summary>
    /// Streams that end badly through the peer before the owner has answered them: its RST_STREAM (rapid reset), and resets that it provokes from us.
    /// Twice the stream limit, so that a peer which loses all its clients at once is not cut off.
    /// </summary>
    public AbuseLimit ResetStreams { get; init; } = new(400, 200);

    /// <summary>Streams refused because the limit was reached. A peer that does not know our SETTINGS yet is not at fault, so the burst is large.</summary>
    public AbuseLimit RefusedStreams { get; init; } = new(2000, 500);

    public AbuseLimit SettingsFrames { get; init; } = new(100, 20);

    /// <summary>Generous: bandwidth probes send one PING per round trip, and round trips on one machine are short.</summary>
    public AbuseLimit PingFrames { get; init; } = new(1000, 500);

    /// <summary>DATA frames without any payload and without END_STREAM: they have no use.</summary>
    public AbuseLimit EmptyDataFrames { get; init; } = new(1000, 500);

    /// <summary>
    /// DATA frames with less than 32 octets. Interactive applications send them at every rate a core can carry, and they cost us no memory, so
    /// this only stops what no application does.
    /// </summary>
    public AbuseLimit TinyDataFrames { get; init; } = new(2_000_000, 1_000_000);

    /// <summary>Frames that are ignored: PRIORITY, unknown types, late frames on closed streams.</summary>
    public AbuseLimit IgnoredFrames { get; init; } = new(20_000, 10_000);

    /// <summary>
    /// Octets that control frames may add above <see cref="Http2Connection.OutputLimit"/>. A peer that makes us answer but never reads is cut off here.
    /// </summary>
    public int MaxControlBacklog { get; init; } = 128 * 1024;

    /// <summary>What an HBONE client announces.</summary>
    public static Http2Options ForClient { get; } = new() { MaxHeaderListSize = 16384 };

    /// <summary>What an HBONE server announces.</summary>
    public static Http2Options ForServer { get; } = new() { MaxConcurrentStreams = 200 };
}

/// <summary>How many at once, and how many are given back by each <see cref="Http2Connection.Tick"/>.</summary>
public readonly record struct AbuseLimit(int Burst, int PerTick);

using System.Buffers;
using Mesh.Http2.Flow;
using Mesh.Http2.Framing;
using Mesh.Http2.Hpack;
using Mesh.Http2.Limits;

namespace Mesh.Http2;

/// <summary>
/// One HTTP/2 connection, either end: bytes in by <see cref="Receive"/>, events out through <see cref="IHttp2Handler"/>, bytes out in
/// <see cref="Output"/>. No socket, no clock, no thread: the owner moves the bytes, calls <see cref="Tick"/>, and is the only caller.
/// </summary>
/// <remarks>
/// A fault of the peer never throws: on a stream it ends in RST_STREAM and <see cref="IHttp2Handler.OnReset"/>, on the connection in GOAWAY and
/// <see cref="IHttp2Handler.OnConnectionError"/>. Only misuse by the owner throws.
/// <para>The parts: .Receiving (octets to frames), .Data, .Headers, .Control (frames to events), .Streams (table and endings), .Sending, .Shutdown.</para>
/// </remarks>
public sealed partial class Http2Connection : Http2Output.IOutputListener, IDisposable
{
    // Immutable.
    private readonly IHttp2Handler _handler;
    private readonly ArrayPool<byte> _pool;
    private readonly AbuseBudgets _budgets;
    private readonly HpackDecoder _decoder;
    private readonly HpackEncoder _encoder = new();

    // Both directions' connection windows.
    private SendWindow _sendWindow = new(Protocol.DefaultWindow);
    private ReceiveWindow _receiveWindow;

    // What the peer's SETTINGS said.
    private int _peerInitialWindow = Protocol.DefaultWindow;
    private int _peerMaxFrameSize = Protocol.DefaultFrameSize;
    private uint _peerMaxStreams;

    // Our own SETTINGS: what holds for new streams until the peer has acknowledged them.
    private bool _settingsAcknowledged;
    private bool _started;

    public Http2Connection(Http2Role role, Http2Options options, IHttp2Handler handler, ArrayPool<byte>? pool = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(handler);
        ThrowIfInvalid(options);
        Role = role;
        Options = options;
        _handler = handler;
        _pool = pool ?? ArrayPool<byte>.Shared;
        _budgets = new AbuseBudgets(options);
        _decoder = new HpackDecoder(options.HeaderTableSize);
        _receiveWindow = new ReceiveWindow(Math.Max(options.ConnectionWindowSize, Protocol.DefaultWindow));
        _peerMaxStreams = (uint)options.InitialPeerMaxConcurrentStreams;
        _prefaceLeft = role == Http2Role.Server ? Protocol.Preface.Length : 0;
        _nextLocalId = role == Http2Role.Client ? 1u : 2u;
        Output = new Http2Output(_pool, this);
    }

    public Http2Role Role { get; }

    public Http2Options Options { get; }

    public Http2Output Output { get; }

    /// <summary>DATA is taken while the output is shorter; it may then exceed the limit by less than 16 KiB. Control frames always go in.</summary>
    public int OutputLimit { get; set; } = 512 * 1024;

    public object? UserState { get; set; }

    /// <summary>The peer's limit, or what we assume before its SETTINGS.</summary>
    public uint PeerMaxConcurrentStreams => _peerMaxStreams;

    /// <summary>The largest frame the peer takes.</summary>
    public int PeerMaxFrameSize => _peerMaxFrameSize;

    /// <summary>GOAWAY with an error was sent, or the owner has ended it: nothing more comes out but what is pending.</summary>
    public bool IsClosed { get; private set; }

    internal SendWindow SendWindowOfConnection => _sendWindow;

    internal ReceiveWindow ReceiveWindowOfConnection => _receiveWindow;

    private bool IsServer => Role == Http2Role.Server;

    /// <summary>Queues what each side sends first (RFC 9113, 3.4). A client may open streams right behind it.</summary>
    public void Start()
    {
        if (_started)
            throw new InvalidOperationException("the connection was already started");
        _started = true;
        if (!IsServer)
            FrameWriter.Preface(Output);
        FrameWriter.Settings(Output, AnnouncedSettings());
        var extra = Options.ConnectionWindowSize - Protocol.DefaultWindow;
        if (extra > 0)
            FrameWriter.WindowUpdate(Output, 0, extra);
    }

    /// <summary>The owner's heartbeat, about every second: gives the peer its budgets back.</summary>
    public void Tick() => _budgets.Refill();

    /// <summary>Returns every buffer; afterwards the connection is closed and silent. The owner calls it when the transport is gone.</summary>
    public void Dispose()
    {
        IsClosed = true;
        Output.Release();
        if (!_receiving)
            ReleaseInput();
    }

    void Http2Output.IOutputListener.OutputBecameNonEmpty()
    {
        if (!IsClosed)
            _handler.OnOutputReady();
    }

    void Http2Output.IOutputListener.OutputAdvanced()
    {
        // Half: a writer that is woken at the limit would be woken for every packet.
        if (_waitingCount > 0 && Output.Length <= OutputLimit / 2)
            WakeWaiting();
    }

    private ReadOnlySpan<(SettingId Id, uint Value)> AnnouncedSettings()
    {
        var settings = new List<(SettingId, uint)>(6);
        if (Options.HeaderTableSize != Protocol.DefaultHeaderTableSize)
            settings.Add((SettingId.HEADER_TABLE_SIZE, (uint)Options.HeaderTableSize));
        if (!IsServer)
            settings.Add((SettingId.ENABLE_PUSH, 0));
        if (Options.MaxConcurrentStreams is { } streams)
            settings.Add((SettingId.MAX_CONCURRENT_STREAMS, (uint)streams));
        settings.Add((SettingId.INITIAL_WINDOW_SIZE, (uint)Options.InitialWindowSize));
        settings.Add((SettingId.MAX_FRAME_SIZE, (uint)Options.MaxFrameSize));
        settings.Add((SettingId.MAX_HEADER_LIST_SIZE, (uint)Options.MaxHeaderListSize));
        return settings.ToArray();
    }

    private static void ThrowIfInvalid(Http2Options options)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(options.InitialWindowSize, nameof(options));
        ArgumentOutOfRangeException.ThrowIfNegative(options.MaxHeaderListSize, nameof(options));
        ArgumentOutOfRangeException.ThrowIfNegative(options.HeaderTableSize, nameof(options));
        ArgumentOutOfRangeException.ThrowIfNegative(options.InitialPeerMaxConcurrentStreams, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxSendFrameSize, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxFrameSize, Protocol.DefaultFrameSize, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.MaxFrameSize, Protocol.LargestFrameSize, nameof(options));
    }
}

using System.Buffers;

namespace Mesh.Http2;

public sealed class Http2Connection : Http2Output.IOutputListener, IDisposable
{
    private readonly IHttp2Handler _handler;

    public Http2Connection(Http2Role role, Http2Options options, IHttp2Handler handler, ArrayPool<byte>? pool = null)
    {
        Role = role;
        Options = options;
        _handler = handler;
        Output = new Http2Output(pool ?? ArrayPool<byte>.Shared, this);
    }

    public Http2Role Role { get; }

    public Http2Options Options { get; }

    public Http2Output Output { get; }

    public int OutputLimit { get; set; } = 512 * 1024;

    public object? UserState { get; set; }

    public bool CanOpenStream { get; private set; }

    public int ActiveStreams { get; private set; }

    public uint PeerMaxConcurrentStreams { get; private set; }

    public bool IsDraining { get; private set; }

    public bool IsClosed { get; private set; }

    public void Start() => _handler.OnOutputReady();

    public void Receive(ReadOnlySpan<byte> bytes) => PeerMaxConcurrentStreams += (uint)bytes.Length;

    public Http2Stream OpenStream(HeaderList headers, bool endStream) => new(this, (uint)headers.Count);

    public void SendPing(ulong opaque) => ActiveStreams += (int)opaque;

    public void BeginGracefulShutdown() => IsDraining = true;

    public void GoAway(Http2ErrorCode code) => IsClosed = code != Http2ErrorCode.NO_ERROR;

    public void Tick() => CanOpenStream = false;

    public void Dispose() => Output.Release();

    void Http2Output.IOutputListener.OutputBecameNonEmpty() => _handler.OnOutputReady();

    void Http2Output.IOutputListener.OutputAdvanced()
    {
    }
}

using System.Diagnostics;
using Mesh.Http2;

namespace Mesh.Hbone;

/// <summary>One CONNECT stream that was accepted with 200: a byte channel in each direction.</summary>
/// <remarks>
/// Lives on its connection's loop; no member may be used elsewhere (<see cref="TunnelPipe"/> is the adapter for other threads).
/// Bytes that arrive before a handler is attached are kept here; the stream window (4 MiB) bounds them.
/// </remarks>
public sealed class Tunnel
{
    private static readonly HeaderList NoHeaders = new(0);

    private readonly Http2Stream _stream;
    private ITunnelHandler? _handler;
    private EarlyData? _early;
    private bool _endOfDataSeen;
    private bool _resetSeen;
    private Http2ErrorCode? _resetCode;
    private bool _resetByPeer;

    internal Tunnel(HboneConnection connection, Http2Stream stream, HeaderList headers)
    {
        Connection = connection;
        _stream = stream;
        Headers = headers;
    }

    public HboneConnection Connection { get; }

    /// <summary>The peer's headers: of the CONNECT on the server, of the 200 on the client. Empty after <see cref="ForgetHeaders"/>.</summary>
    public HeaderList Headers { get; private set; }

    public uint StreamId => _stream.Id;

    /// <summary>True after <see cref="EndWrite"/> or <see cref="Reset"/>.</summary>
    public bool WriteEnded { get; private set; }

    public bool IsReset => _resetSeen;

    /// <summary>Both directions have ended, in whatever way.</summary>
    public bool Finished => _resetSeen || (WriteEnded && _endOfDataSeen);

    /// <summary>Attaches the owner and delivers what came before it, in order, before returning.</summary>
    public void Attach(ITunnelHandler handler)
    {
        Debug.Assert(_handler is null, "a tunnel has one owner");
        _handler = handler;
        if (_early is { } early)
        {
            _early = null;
            early.Deliver(handler, Connection.Loop.Buffers);
        }

        if (_resetSeen)
            handler.OnReset(_resetCode, _resetByPeer);
        else if (_endOfDataSeen)
            handler.OnEndOfData();
    }

    /// <summary>Whoever has read the headers lets them go: a tunnel may be idle for days, and they are most of what it weighs.</summary>
    public void ForgetHeaders() => Headers = NoHeaders;

    /// <summary>Takes as many bytes as flow control and the output limit allow; fewer than given means: wait for OnWritable.</summary>
    public int Write(ReadOnlySpan<byte> data) => _resetSeen ? data.Length : _stream.Write(data);

    /// <summary>Room inside the connection's output, behind a frame header that <see cref="Commit"/> fills in. Empty: wait for OnWritable.</summary>
    public Span<byte> GetBuffer(int sizeHint) => _stream.GetDataBuffer(sizeHint);

    public void Commit(int count) => _stream.CommitData(count);

    public void EndWrite()
    {
        if (WriteEnded || _resetSeen)
            return;
        WriteEnded = true;
        _stream.EndStream();
    }

    public void Reset(Http2ErrorCode code)
    {
        if (_resetSeen)
            return;
        _resetSeen = true;
        WriteEnded = true;
        _early?.Drop(Connection.Loop.Buffers);
        _early = null;
        _stream.Reset(code);
    }

    /// <summary>Gives receive credit back for bytes that were passed on.</summary>
    public void Consume(int bytes)
    {
        if (!_resetSeen)
            _stream.Consume(bytes);
    }

    /// <summary>What a request received before it was accepted.</summary>
    internal void Prepend(EarlyData early) => _early = early;

    internal void Received(ReadOnlySpan<byte> data)
    {
        if (_handler is { } handler)
            handler.OnData(data);
        else
            (_early ??= new EarlyData()).Append(data, Connection.Loop.Buffers);
    }

    internal void PeerEnded()
    {
        if (_endOfDataSeen)
            return; // END_STREAM on the HEADERS themselves is told twice
        _endOfDataSeen = true;
        _handler?.OnEndOfData();
    }

    internal void Writable() => _handler?.OnWritable();

    internal void WasReset(Http2ErrorCode? code, bool byPeer)
    {
        if (_resetSeen)
            return;
        _resetSeen = true;
        _resetCode = code;
        _resetByPeer = byPeer;
        WriteEnded = true;
        if (_handler is { } handler)
            handler.OnReset(code, byPeer);
    }
}

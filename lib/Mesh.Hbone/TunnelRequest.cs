using System.Diagnostics;
using System.Globalization;
using System.Net;
using Mesh.Http2;
using Mesh.Model;

namespace Mesh.Hbone;

/// <summary>A CONNECT that waits for its verdict: exactly one of <see cref="Accept"/> and <see cref="Refuse"/> is called, on the loop.</summary>
public sealed class TunnelRequest
{
    private readonly HboneServerConnection _connection;
    private readonly Http2Stream _stream;
    private EarlyData? _early;
    private bool _endOfData;
    private bool _decided;

    internal TunnelRequest(HboneServerConnection connection, Http2Stream stream, HeaderList headers, bool endOfData)
    {
        _connection = connection;
        _stream = stream;
        Headers = headers;
        _endOfData = endOfData;
    }

    public HeaderList Headers { get; }

    public HboneConnection Connection => _connection;

    public string? Method => Headers.Get(":method");

    public string? Authority => Headers.Get(":authority");

    /// <summary>Who the client's proxy proved to be; null only without TLS (tests).</summary>
    public SpiffeId? PeerIdentity => _connection.PeerIdentity;

    public IPEndPoint RemoteEndPoint => _connection.RemoteEndPoint;

    /// <summary>The address that was dialled: the pod's own.</summary>
    public IPEndPoint LocalEndPoint => _connection.LocalEndPoint;

    /// <summary>The client gave up, or its connection broke, before the verdict.</summary>
    public bool IsAborted { get; private set; }

    /// <summary>Answers 200 and makes the stream a tunnel. Null if the client is gone already.</summary>
    public Tunnel? Accept(IEnumerable<HeaderField>? extra = null)
    {
        Decide();
        if (IsAborted)
            return null;
        var answer = Answer(200, extra);
        var tunnel = new Tunnel(_connection, _stream, Headers);
        _stream.UserState = tunnel;
        _stream.SendHeaders(answer, endStream: false);
        if (_early is { } early)
        {
            _early = null;
            tunnel.Prepend(early);
        }

        if (_endOfData)
            tunnel.PeerEnded();
        return tunnel;
    }

    /// <summary>Answers with an error status: HEADERS with END_STREAM; the engine adds RST_STREAM(NO_ERROR) while the client's side is open.</summary>
    public void Refuse(int status, Ending reason)
    {
        Decide();
        if (IsAborted)
            return;
        _stream.UserState = null;
        _early?.Drop(_connection.Loop.Buffers);
        _early = null;
        _stream.SendHeaders(Answer(status, [new HeaderField(HboneHeaders.Reason, reason.Name())]), endStream: true);
    }

    internal void Received(ReadOnlySpan<byte> data) => (_early ??= new EarlyData()).Append(data, _connection.Loop.Buffers);

    internal void PeerEnded() => _endOfData = true;

    internal void Abort()
    {
        IsAborted = true;
        _early?.Drop(_connection.Loop.Buffers);
        _early = null;
    }

    private static HeaderList Answer(int status, IEnumerable<HeaderField>? extra)
    {
        var headers = new HeaderList { new HeaderField(":status", status.ToString(CultureInfo.InvariantCulture)) };
        foreach (var field in extra ?? [])
            headers.Add(field);
        return headers;
    }

    private void Decide()
    {
        Debug.Assert(!_decided, "a CONNECT gets one verdict");
        _decided = true;
    }
}

using BenchmarkDotNet.Attributes;
using Mesh.Http2;

namespace Mesh.Microbenchmarks;

/// <summary>Two engines back to back, no sockets: what a DATA frame and what a CONNECT cost.</summary>
[MemoryDiagnoser]
public class EngineBenchmarks
{
    private readonly byte[] _payload = new byte[16 * 1024];
    private EnginePair _pair = null!;

    [Params(64, 1024, 16 * 1024)]
    public int Bytes { get; set; }

    [GlobalSetup]
    public void Setup() => _pair = new EnginePair();

    [Benchmark]
    public void SendAndReceiveData() => _pair.Send(_payload.AsSpan(0, Bytes));

    [Benchmark]
    public void ConnectAndReset() => _pair.OpenAndReset();
}

/// <summary>A client and a server engine that hand each other their output.</summary>
internal sealed class EnginePair
{
    private readonly Sink _clientEvents = new();
    private readonly Sink _serverEvents = new();
    private readonly Http2Connection _client;
    private readonly Http2Connection _server;
    private readonly Http2Stream _stream;

    public EnginePair()
    {
        _client = new Http2Connection(Http2Role.Client, Http2Options.ForClient, _clientEvents);
        _server = new Http2Connection(Http2Role.Server, Http2Options.ForServer with { ResetStreams = new AbuseLimit(int.MaxValue, int.MaxValue) }, _serverEvents);
        _client.Start();
        _server.Start();
        _stream = _client.OpenStream(HeaderList.Connect("198.18.1.21:8080"), endStream: false);
        Exchange();
        _serverEvents.Last!.SendHeaders(HeaderList.Response(200), endStream: false);
        Exchange();
    }

    public void Send(ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            data = data[_stream.Write(data)..];
            Exchange();
        }
    }

    public void OpenAndReset()
    {
        var stream = _client.OpenStream(HeaderList.Connect("198.18.1.21:8080"), endStream: false);
        Exchange();
        _serverEvents.Last!.SendHeaders(HeaderList.Response(200), endStream: false);
        Exchange();
        stream.Reset(Http2ErrorCode.CANCEL);
        Exchange();
    }

    private void Exchange()
    {
        while (_client.Output.Length > 0 || _server.Output.Length > 0)
        {
            Pass(_client, _server);
            Pass(_server, _client);
        }
    }

    private static void Pass(Http2Connection from, Http2Connection to)
    {
        if (from.Output.Length == 0)
            return;
        to.Receive(from.Output.Pending.Span);
        from.Output.Advance(from.Output.Length);
    }

    private sealed class Sink : IHttp2Handler
    {
        public Http2Stream? Last { get; private set; }

        public void OnHeaders(Http2Stream stream, HeaderList headers, bool endStream) => Last = stream;

        public void OnData(Http2Stream stream, ReadOnlySpan<byte> data) => stream.Consume(data.Length);

        public void OnEndStream(Http2Stream stream)
        {
        }

        public void OnReset(Http2Stream stream, Http2ErrorCode code, bool byPeer)
        {
        }

        public void OnWritable(Http2Stream stream)
        {
        }

        public void OnStreamClosed(Http2Stream stream)
        {
        }

        public void OnStreamsAvailable()
        {
        }

        public void OnSettings()
        {
        }

        public void OnPingAck(ulong opaque)
        {
        }

        public void OnGoAway(uint lastStreamId, Http2ErrorCode code, ReadOnlySpan<byte> debug)
        {
        }

        public void OnConnectionError(Http2ConnectionError error) => throw new InvalidOperationException(error.ToString());

        public void OnOutputReady()
        {
        }
    }
}

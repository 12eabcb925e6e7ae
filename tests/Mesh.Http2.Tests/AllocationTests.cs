namespace Mesh.Http2.Tests;

/// <summary>The budget of the data path: nothing is allocated per DATA frame, whichever way it goes.</summary>
public sealed class AllocationTests
{
    private const int Frames = 20_000;

    [Fact]
    public void SteadyData_BothWays_AllocatesNothing()
    {
        var client = new Endpoint(Http2Role.Client);
        var server = new Endpoint(Http2Role.Server);
        client.Connection.Start();
        server.Connection.Start();
        var stream = client.Connection.OpenStream(HeaderList.Connect("198.18.1.21:8080"), endStream: false);
        Exchange(client, server);
        server.Stream!.SendHeaders(HeaderList.Response(200), endStream: false);
        Exchange(client, server);
        Pump(client, server, stream, 2000); // buffers, tiers of the compiler

        var before = GC.GetAllocatedBytesForCurrentThread();
        Pump(client, server, stream, Frames);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(0, allocated);
        Assert.True(server.Received >= (long)Frames * 4000, "the frames really went through");
        Assert.Equal(server.Received, client.Received);
    }

    // In place one way, copied the other; answers and window updates included; every third exchange is cut in the middle of a frame.
    private static void Pump(Endpoint client, Endpoint server, Http2Stream stream, int frames)
    {
        ReadOnlySpan<byte> payload = stackalloc byte[4000];
        for (var i = 0; i < frames; i++)
        {
            var room = stream.GetDataBuffer(4096);
            payload.CopyTo(room);
            stream.CommitData(payload.Length);
            server.Stream!.Write(payload);
            if (i % 3 == 0)
                server.Connection.Receive(client.TakeHalf());
            Exchange(client, server);
        }
    }

    private static void Exchange(Endpoint client, Endpoint server)
    {
        while (client.Connection.Output.Length + server.Connection.Output.Length > 0)
        {
            Move(client.Connection, server.Connection);
            Move(server.Connection, client.Connection);
        }
    }

    private static void Move(Http2Connection from, Http2Connection to)
    {
        var output = from.Output;
        var count = output.Length;
        if (count == 0)
            return;
        to.Receive(output.Pending.Span);
        output.Advance(count);
    }

    private sealed class Endpoint : IHttp2Handler
    {
        private readonly byte[] _half = new byte[2000];

        public Endpoint(Http2Role role) => Connection = new Http2Connection(role, role == Http2Role.Client ? Http2Options.ForClient : Http2Options.ForServer, this);

        public Http2Connection Connection { get; }

        public Http2Stream? Stream { get; private set; }

        public long Received { get; private set; }

        public ReadOnlySpan<byte> TakeHalf()
        {
            var count = Math.Min(_half.Length, Connection.Output.Length);
            Connection.Output.Pending.Span[..count].CopyTo(_half);
            Connection.Output.Advance(count);
            return _half.AsSpan(0, count);
        }

        public void OnHeaders(Http2Stream stream, HeaderList headers, bool endStream) => Stream = stream;

        public void OnData(Http2Stream stream, ReadOnlySpan<byte> data)
        {
            Received += data.Length;
            stream.Consume(data.Length);
        }

        public void OnEndStream(Http2Stream stream) => throw new InvalidOperationException("nobody ends here");

        public void OnReset(Http2Stream stream, Http2ErrorCode code, bool byPeer) => throw new InvalidOperationException($"{code}");

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

        public void OnConnectionError(Http2ConnectionError error) => throw new InvalidOperationException($"{error}");

        public void OnOutputReady()
        {
        }
    }
}

using System.Globalization;
using System.Security.Cryptography;
using Mesh.Testing;
using Mesh.Testing.Http2;

namespace Mesh.Http2.Tests.Interop;

/// <summary>Node's HTTP/2 (nghttp2 inside) at the other end, both roles.</summary>
public sealed class NodeInteropTests
{
    private const int Large = 3_000_000;

    [ToolFact("node", "timeout")]
    public void OurClient_TunnelsThroughNode_AndGetsEveryOctetBack()
    {
        using var node = new ToolProcess("node", Script("server.mjs"));
        using var pump = SocketPump.Connect(int.Parse(node.ReadLine(), CultureInfo.InvariantCulture));
        var body = new byte[Large];
        new Random(1).NextBytes(body);
        var senders = new Dictionary<uint, int>();
        pump.Handler.WhenWritable = Send;
        for (var i = 0; i < 5; i++)
        {
            var stream = pump.Connection.OpenStream(HeaderList.Connect($"198.18.1.{i}:8080"), endStream: false);
            senders.Add(stream.Id, 0);
            Send(stream);
        }

        pump.RunUntil(() => pump.Handler.Events.Count(e => e.StartsWith("closed", StringComparison.Ordinal)) == 5, "all tunnels were closed");
        foreach (var id in senders.Keys)
        {
            Assert.Equal(200, pump.Handler.Headers(id)[0].Status);
            Assert.Equal(SHA1.HashData(body), SHA1.HashData(pump.Handler.Body(id)));
        }

        void Send(Http2Stream stream)
        {
            // As a proxy does it: in pieces, whatever fits, until it is short.
            while (senders[stream.Id] is var sent && sent < Large)
            {
                var piece = body.AsSpan(sent, Math.Min(50_000, Large - sent));
                var count = stream.Write(piece, endStream: sent + piece.Length == Large);
                senders[stream.Id] += count;
                if (count < piece.Length)
                    return;
            }
        }
    }

    [ToolFact("node", "timeout")]
    public void OurClient_SpeaksPlainRequestsToNode()
    {
        using var node = new ToolProcess("node", Script("server.mjs"));
        using var pump = SocketPump.Connect(int.Parse(node.ReadLine(), CultureInfo.InvariantCulture));
        var request = HeaderList.Request("GET", "http", "a", "/100000");
        request.Add("x-test", "value");
        pump.Connection.OpenStream(request, endStream: true);
        pump.Connection.OpenStream(HeaderList.Connect("refused:1"), endStream: false);
        pump.Connection.SendPing(0x1234);
        pump.RunUntil(() => pump.Connection.ActiveStreams == 0 && pump.Handler.Events.Contains("ping ack 1234"), "both answers came");

        Assert.Contains("informational 1 103", pump.Handler.Events);
        Assert.Equal("value", pump.Handler.Headers(1)[0].Get("x-seen"));
        Assert.Equal(100_000, pump.Handler.Body(1).Length);
        Assert.Equal("done", pump.Handler.Headers(1)[1].Get("x-sum"));
        Assert.Equal(503, pump.Handler.Headers(3)[0].Status);

        pump.Connection.BeginGracefulShutdown();
        Assert.Contains("drained", pump.Handler.Events);
        pump.RunUntilPeerCloses();
        Assert.Equal("goaway 0 0", node.ReadLine());
    }

    [ToolFact("node", "timeout")]
    public void OurServer_EchoesNodesTunnels()
    {
        using var listener = SocketPump.Listen(out var port);
        using var node = new ToolProcess("node", Script("client.mjs"), $"{port}", "8", $"{Large}");
        using var pump = SocketPump.Accept(listener, Echo());
        pump.RunUntilPeerCloses();
        pump.Dispose(); // Node waits for our end of the connection
        Assert.Null(pump.Handler.Error);
        Assert.StartsWith("ok ", node.ReadToEnd(), StringComparison.Ordinal);
    }

    [ToolFact("node", "timeout")]
    public void OurServer_RefusesNodesExtraTunnels_OnlyThose()
    {
        using var listener = SocketPump.Listen(out var port);
        using var node = new ToolProcess("node", Script("client.mjs"), $"{port}", "150", "20000");
        using var pump = SocketPump.Accept(listener, Echo());
        pump.RunUntilPeerCloses();
        pump.Dispose(); // Node waits for our end of the connection
        Assert.Null(pump.Handler.Error);
        Assert.StartsWith("ok ", node.ReadToEnd(), StringComparison.Ordinal);
        Assert.Equal(150, pump.Handler.Events.Count(e => e.StartsWith("closed", StringComparison.Ordinal)));
    }

    [ToolFact("node", "timeout")]
    public void OurServer_DrainsWhileNodeTransfers()
    {
        using var listener = SocketPump.Listen(out var port);
        using var node = new ToolProcess("node", Script("client.mjs"), $"{port}", "4", $"{Large}");
        var handler = Echo();
        using var pump = SocketPump.Accept(listener, handler);
        pump.RunUntil(() => handler.HasSeen(7), "four tunnels were open");
        pump.Connection.BeginGracefulShutdown();
        pump.RunUntil(() => handler.Events.Contains("drained"), "the drain was over");

        var goAways = 0;
        Assert.Equal(4, handler.Events.Count(e => e.StartsWith("end", StringComparison.Ordinal)));
        pump.Dispose();
        while (node.ReadLine() is var line && !line.StartsWith("ok", StringComparison.Ordinal))
            goAways += line.StartsWith("goaway 0", StringComparison.Ordinal) ? 1 : 0;
        Assert.Equal(2, goAways);
    }

    private static string Script(string name) => Path.Combine(AppContext.BaseDirectory, "Interop", name);

    /// <summary>Answers every tunnel with its own octets, holding back what the peer gives no credit for.</summary>
    internal static RecordingHttp2Handler Echo()
    {
        var handler = new RecordingHttp2Handler { ConsumeAtOnce = false };
        var sent = new Dictionary<uint, int>();
        var ended = new HashSet<uint>();
        handler.WhenHeaders = (stream, _, _) =>
        {
            sent[stream.Id] = 0;
            stream.SendHeaders(HeaderList.Response(200), endStream: false);
        };
        handler.WhenData = (stream, _) => Send(stream);
        handler.WhenWritable = Send;
        handler.WhenEndStream = stream =>
        {
            ended.Add(stream.Id);
            Send(stream);
        };
        return handler;

        void Send(Http2Stream stream)
        {
            var held = stream.UnconsumedBytes;
            if (held > 0)
            {
                var body = handler.BodySpan(stream.Id)[sent[stream.Id]..];
                var count = stream.Write(body);
                sent[stream.Id] += count;
                stream.Consume(count);
            }

            if (ended.Contains(stream.Id) && stream.UnconsumedBytes == 0)
                stream.EndStream();
        }
    }
}

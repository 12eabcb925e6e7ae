using System.Net;
using System.Net.Sockets;
using Mesh.Testing;
using Mesh.Testing.Http2;

namespace Mesh.Http2.Tests.Interop;

/// <summary>The programs of nghttp2: a client, a load generator and a server.</summary>
public sealed class NghttpInteropTests
{
    [ToolFact("nghttp", "timeout")]
    public void Nghttp_GetsAnswersOfOurServer()
    {
        using var listener = SocketPump.Listen(out var port);
        using var nghttp = new ToolProcess("nghttp", "--verbose", $"http://127.0.0.1:{port}/hello", $"http://127.0.0.1:{port}/again");
        using var pump = SocketPump.Accept(listener, Answering("a body of some length"));
        pump.RunUntilPeerCloses();
        Assert.Null(pump.Handler.Error);
        var log = nghttp.ReadToEnd();
        Assert.Equal(2, log.Split("a body of some length").Length - 1);
        Assert.Contains(":status: 200", log, StringComparison.Ordinal);
        Assert.Contains("SETTINGS_MAX_CONCURRENT_STREAMS(0x03):200", log, StringComparison.Ordinal);
    }

    [ToolFact("h2load", "timeout")]
    public void H2load_OfThousandsOfRequests_AllSucceed()
    {
        using var listener = SocketPump.Listen(out var port);
        using var h2load = new ToolProcess("h2load", "-n", "5000", "-c", "1", "-m", "100", $"http://127.0.0.1:{port}/");
        using var pump = SocketPump.Accept(listener, Answering(new string('b', 2000)));
        pump.RunUntilPeerCloses();
        Assert.Null(pump.Handler.Error);
        Assert.Contains("5000 succeeded, 0 failed, 0 errored", h2load.ReadToEnd(), StringComparison.Ordinal);
    }

    [ToolFact("nghttpd", "timeout")]
    public void Nghttpd_ServesOurClient()
    {
        var folder = Directory.CreateTempSubdirectory("mesh-http2-");
        try
        {
            var file = new byte[2_000_000];
            new Random(1).NextBytes(file);
            File.WriteAllBytes(Path.Combine(folder.FullName, "file.bin"), file);
            var port = Ports.Unused();
            using var nghttpd = new ToolProcess("nghttpd", "--verbose", "--no-tls", "--echo-upload", "--address=127.0.0.1", "--htdocs", folder.FullName, $"{port}");
            Assert.Contains("listen", nghttpd.ReadLine(), StringComparison.Ordinal);
            nghttpd.IgnoreOutput();
            using var pump = SocketPump.Connect(port);

            for (var i = 0; i < 3; i++)
                pump.Connection.OpenStream(HeaderList.Request("GET", "http", "127.0.0.1", "/file.bin"), endStream: true);
            var upload = pump.Connection.OpenStream(HeaderList.Request("POST", "http", "127.0.0.1", "/echo"), endStream: false);
            var sent = 0;
            pump.Handler.WhenWritable = Send;
            Send(upload);
            pump.RunUntil(() => pump.Connection.ActiveStreams == 0, "all answers came");

            foreach (var id in (uint[])[1, 3, 5, 7])
                Assert.True(file.AsSpan().SequenceEqual(pump.Handler.Body(id)), $"stream {id}: {pump.Handler.Body(id).Length} octets");

            void Send(Http2Stream stream)
            {
                while (sent < file.Length)
                {
                    var room = stream.GetDataBuffer(16384);
                    if (room.IsEmpty)
                        return;
                    var count = Math.Min(room.Length, file.Length - sent);
                    file.AsSpan(sent, count).CopyTo(room);
                    sent += count;
                    stream.CommitData(count, endStream: sent == file.Length);
                }
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static RecordingHttp2Handler Answering(string body)
    {
        var handler = new RecordingHttp2Handler();
        handler.WhenEndStream = stream =>
        {
            stream.SendHeaders(new HeaderList { { ":status", "200" }, { "content-type", "text/plain" } }, endStream: false);
            stream.Write(System.Text.Encoding.ASCII.GetBytes(body), endStream: true);
        };
        return handler;
    }
}

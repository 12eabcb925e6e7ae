using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Google.Protobuf.WellKnownTypes;
using Mesh.Http2;
using Mesh.Testing.Http2;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mesh.Waypoint.Tests.Correctness;

/// <summary>Tries that end while the client still sends: the next one sends again what came, and goes on with what comes (reference 7.8).</summary>
public sealed class RetryWhileArrivingTests
{
    private const int BufferLimit = 64 * 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Reads the first piece of each try; what comes then decides the test.</summary>
    private sealed class Application
    {
        private readonly SemaphoreSlim _arrived = new(0);

        public Func<HttpContext, int, Task> Answer { get; init; } = (_, _) => Task.CompletedTask;

        public int Tries => _tries;

        private int _tries;

        /// <summary>One more try has brought this much.</summary>
        public async Task ArrivedAsync() => Assert.True(await _arrived.WaitAsync(Patience), "no further try has brought what the client has sent");

        public async Task HandleAsync(HttpContext http)
        {
            var number = Interlocked.Increment(ref _tries);
            var first = new byte[Encoding.ASCII.GetByteCount("first ")];
            await http.Request.Body.ReadExactlyAsync(first);
            _arrived.Release();
            http.Items["first"] = Encoding.ASCII.GetString(first);
            await Answer(http, number);
        }

        public static async Task EchoAsync(HttpContext http)
        {
            using var rest = new StreamReader(http.Request.Body);
            await http.Response.WriteAsync(http.Items["first"] + await rest.ReadToEndAsync());
        }
    }

    /// <summary>A body whose pieces the test sends.</summary>
    private sealed class Pieces(long? length) : HttpContent
    {
        private readonly TaskCompletionSource<Stream> _stream = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async Task SendAsync(string piece)
        {
            var stream = await _stream.Task.WaitAsync(Patience);
            await stream.WriteAsync(Encoding.ASCII.GetBytes(piece));
            await stream.FlushAsync();
        }

        public void End() => _end.SetResult();

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            _stream.SetResult(stream);
            return _end.Task;
        }

        protected override bool TryComputeLength(out long known)
        {
            known = length ?? 0;
            return length is not null;
        }
    }

    private static Action<V1.ServicePort> Retrying(uint attempts) => OneService.Route(f => f.Retry = new V1.RetryPolicy
    {
        Attempts = attempts,
        RetryOn = { "5xx" },
        BackoffBase = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(1)),
    });

    private static Task<OneService> StartAsync(Origin origin, HttpProtocols application, string client = "1.1") => OneService.StartAsync(
        [origin.Port],
        Retrying(2),
        c => c.Protocol = application == HttpProtocols.Http2 ? V1.Protocol.Http2 : V1.Protocol.Http1,
        Version.Parse(client),
        limits: WaypointLimits.Default with { ConnectionBuffer = BufferLimit });

    private static Func<HttpContext, int, Task> FailingTwice(string how) => (http, number) =>
    {
        if (number > 2)
            return Application.EchoAsync(http);
        if (how == "reset")
            http.Abort();
        else
            http.Response.StatusCode = 503;
        return Task.CompletedTask;
    };

    [Theory]
    [InlineData("1.1", true, HttpProtocols.Http1, "503")]
    [InlineData("1.1", true, HttpProtocols.Http1, "reset")]
    [InlineData("1.1", true, HttpProtocols.Http2, "503")]
    [InlineData("1.1", true, HttpProtocols.Http2, "reset")]
    [InlineData("1.1", false, HttpProtocols.Http1, "503")]
    [InlineData("1.1", false, HttpProtocols.Http1, "reset")]
    [InlineData("1.1", false, HttpProtocols.Http2, "503")]
    [InlineData("1.1", false, HttpProtocols.Http2, "reset")]
    [InlineData("2.0", false, HttpProtocols.Http1, "503")]
    [InlineData("2.0", false, HttpProtocols.Http1, "reset")]
    [InlineData("2.0", false, HttpProtocols.Http2, "503")]
    [InlineData("2.0", true, HttpProtocols.Http2, "reset")]
    public async Task TriesThatFailWhileTheClientSends_CostItNothing(string client, bool knowsLength, HttpProtocols protocol, string how)
    {
        var application = new Application { Answer = FailingTwice(how) };
        await using var origin = await Origin.StartAsync(application.HandleAsync, protocol);
        await using var mesh = await StartAsync(origin, protocol, client);
        var body = new Pieces(knowsLength ? "first second third".Length : null);
        var answer = mesh.SendAsync(HttpMethod.Post, "/", body);
        await body.SendAsync("first ");
        await application.ArrivedAsync();
        await application.ArrivedAsync();
        await application.ArrivedAsync();
        await body.SendAsync("second ");
        await body.SendAsync("third");
        body.End();
        using var response = await answer;
        Assert.Equal((200, "first second third"), ((int)response.StatusCode, await response.Content.ReadAsStringAsync()));
        Assert.Equal(("-", 3), await mesh.Waypoint.NextReportAsync() is var r ? (r.Flags, r.Attempts) : default);

        // The client's connection goes on, too.
        Assert.Equal("first more", await (await mesh.SendAsync(HttpMethod.Post, "/", new StringContent("first more"))).Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("1.1", HttpProtocols.Http1)]
    [InlineData("1.1", HttpProtocols.Http2)]
    [InlineData("2.0", HttpProtocols.Http1)]
    [InlineData("2.0", HttpProtocols.Http2)]
    public async Task ClientThatLeaves_DuringALaterTry_IsDc_AndTheApplicationIsTold(string version, HttpProtocols protocol)
    {
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var application = new Application
        {
            Answer = async (http, number) =>
            {
                if (number == 1)
                {
                    http.Response.StatusCode = 503;
                    return;
                }

                Assert.NotNull(await Record.ExceptionAsync(() => Application.EchoAsync(http)));
                told.SetResult();
            },
        };
        await using var origin = await Origin.StartAsync(application.HandleAsync, protocol);
        await using var mesh = await StartAsync(origin, protocol);
        if (version == "1.1")
        {
            using var client = new TcpClient();
            await client.ConnectAsync(mesh.Entry);
            await client.GetStream().WriteAsync("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nfirst "u8.ToArray());
            await application.ArrivedAsync();
            await application.ArrivedAsync();
        }
        else
        {
            using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
            await client.SendRequestAsync(1, "POST", "/", endStream: false);
            await client.SendDataAsync(1, "first ");
            await application.ArrivedAsync();
            await application.ArrivedAsync();
            await client.SendResetAsync(1, Http2ErrorCode.CANCEL);
        }

        await told.Task.WaitAsync(Patience);
        Assert.Equal(("DC", "downstream_remote_disconnect", 2), await mesh.Waypoint.NextReportAsync() is var r ? (r.Flags, r.Details, r.Attempts) : default);
    }

    [Theory]
    [InlineData("1.1", HttpProtocols.Http1)]
    [InlineData("2.0", HttpProtocols.Http2)]
    public async Task BodyThatHasOutgrownTheBuffer_IsNotSentAgain(string client, HttpProtocols protocol)
    {
        var application = new Application
        {
            Answer = async (http, _) =>
            {
                await http.Request.Body.ReadExactlyAsync(new byte[BufferLimit]);
                http.Response.StatusCode = 503;
                await http.Response.WriteAsync("enough");
                await http.Response.CompleteAsync();
            },
        };
        await using var origin = await Origin.StartAsync(application.HandleAsync, protocol);
        await using var mesh = await StartAsync(origin, protocol, client);
        var body = new Pieces(null);
        var answer = mesh.SendAsync(HttpMethod.Post, "/", body);
        await body.SendAsync("first ");
        await body.SendAsync(new string('x', BufferLimit));
        Assert.Equal((503, "-", "via_upstream", 1), await mesh.Waypoint.NextReportAsync() is var r ? (r.Status, r.Flags, r.Details, r.Attempts) : default);
        Assert.Equal(1, application.Tries);

        // This client looks at an answer when it has sent everything.
        body.End();
        using var response = await answer;
        Assert.Equal((503, "enough"), ((int)response.StatusCode, await response.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task ClientThatWaitsFor100_HearsItFromALaterTry()
    {
        RawOrigin? origin = null;
        using var opened = origin = new RawOrigin(async peer =>
        {
            await peer.ReadHeadAsync();
            if (origin!.Connections < 3)
            {
                await peer.SendAsync("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
                return;
            }

            await peer.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            var body = await peer.ReadUntilAsync("body");
            await peer.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        });
        await using var mesh = await OneService.StartAsync([origin.Port], Retrying(2));
        using var client = new TcpClient();
        await client.ConnectAsync(mesh.Entry);
        using var peer = new RawPeer(client.Client);
        await peer.SendAsync("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 100", await peer.ReadHeadAsync(), StringComparison.Ordinal);
        await peer.SendAsync("body");
        Assert.StartsWith("HTTP/1.1 200", await peer.ReadHeadAsync(), StringComparison.Ordinal);
        Assert.Equal("body", await peer.ReadUntilAsync("body"));
        Assert.Equal(("-", 3), await mesh.Waypoint.NextReportAsync() is var r ? (r.Flags, r.Attempts) : default);
    }

    [Fact]
    public async Task TryThatEndsWhileItsApplicationIsFull_LeavesTheNextOneEverything()
    {
        var client = new Pipe();
        using var body = new ReplayableBody(client.Reader, hasBody: true, keepCopy: true);
        await client.Writer.WriteAsync("first "u8.ToArray());
        using var over = new CancellationTokenSource();
        var full = new FullSink();
        var sending = body.CopyToAsync(full, over.Token);
        await full.Full.Task;
        await over.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);

        var next = new TextSink();
        sending = body.CopyToAsync(next, CancellationToken.None);
        await client.Writer.WriteAsync("second"u8.ToArray());
        await client.Writer.CompleteAsync();
        await sending;
        Assert.Equal("first second.", next.Text.ToString());
    }

    /// <summary>Takes nothing, until it is told that the try is over.</summary>
    private sealed class FullSink : IBodySink
    {
        public TaskCompletionSource Full { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async ValueTask WriteAsync(ReadOnlySequence<byte> data, CancellationToken cancellation)
        {
            Full.SetResult();
            await Task.Delay(Timeout.Infinite, cancellation);
        }

        public ValueTask FlushAsync(CancellationToken cancellation) => ValueTask.CompletedTask;

        public ValueTask EndAsync(CancellationToken cancellation) => ValueTask.CompletedTask;
    }

    private sealed class TextSink : IBodySink
    {
        public StringBuilder Text { get; } = new();

        public ValueTask WriteAsync(ReadOnlySequence<byte> data, CancellationToken cancellation)
        {
            Text.Append(Encoding.ASCII.GetString(data));
            return ValueTask.CompletedTask;
        }

        public ValueTask FlushAsync(CancellationToken cancellation) => ValueTask.CompletedTask;

        public ValueTask EndAsync(CancellationToken cancellation)
        {
            Text.Append('.');
            return ValueTask.CompletedTask;
        }
    }
}

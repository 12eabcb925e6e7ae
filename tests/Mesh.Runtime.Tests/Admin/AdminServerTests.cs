using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Mesh.Runtime.Admin;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;
using Microsoft.AspNetCore.Http;

namespace Mesh.Runtime.Tests.Admin;

public sealed class AdminServerTests : IAsyncLifetime
{
    private static readonly IPEndPoint Free = new(IPAddress.Loopback, 0);
    private readonly LogSink _sink = new(Stream.Null, LogFormat.Text, Parse("hickory_server::server=off,info,access=debug"), TimeProvider.System);
    private readonly MetricRegistry _metrics = new();
    private readonly Readiness _readiness = new(TimeProvider.System);
    private readonly AdminServer _server;
    private readonly AdminPort _admin;
    private readonly AdminPort _stats;
    private readonly AdminPort _ready;
    private readonly HttpClient _http = new(new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.None });

    public AdminServerTests()
    {
        _server = new AdminServer(_sink);
        _admin = _server.Listen("admin", [Free], r => r
            .MapLogging(_sink, _sink.Filter)
            .Map("/fails", _ => throw new InvalidOperationException("no luck"))
            .MapPrefix("/why/", http => AdminReply.TextAsync(http, http.Request.Path)));
        _stats = _server.Listen("stats", [Free], r => r.MapMetrics(_metrics));
        _ready = _server.Listen("readiness", [Free], r => r.MapReadiness(_readiness));
        _metrics.Gauge("g", "G.").With().Set(1);
    }

    [Fact]
    public async Task Pages_OfOnePort_AreNotOnAnother()
    {
        Assert.Equal(HttpStatusCode.OK, (await _http.GetAsync(Url(_stats, "/metrics"))).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await _http.GetAsync(Url(_admin, "/metrics"))).StatusCode);
        Assert.Equal("/why/x", await _http.GetStringAsync(Url(_admin, "/why/x")));
    }

    [Fact]
    public async Task Readiness_AnswersAsRecorded()
    {
        using var task = _readiness.Register("state manager");
        var pending = await _http.GetAsync(Url(_ready, "/healthz/ready"));
        Assert.Equal((HttpStatusCode.InternalServerError, "not ready, pending: state manager\n"), (pending.StatusCode, await pending.Content.ReadAsStringAsync()));
        task.Complete();
        await MatchRecordingAsync(_ready, "15021");
    }

    [Fact]
    public async Task Logging_AnswersAsRecorded()
    {
        await MatchRecordingAsync(_admin, "15000/logging");
        Assert.Equal("hickory_server::server=off,access=debug,info", _sink.Filter.ToString());
    }

    [Fact]
    public async Task Metrics_AreNegotiatedAsRecorded()
    {
        using var recorded = JsonDocument.Parse(Fixture.Read("negotiation.json"));
        foreach (var entry in recorded.RootElement.EnumerateObject())
        {
            var header = entry.Name.Split(": ", 2);
            using var request = new HttpRequestMessage(HttpMethod.Get, Url(_stats, "/metrics"));
            if (header.Length == 1)
            {
                var words = entry.Name.Split(' ');
                request.Method = new HttpMethod(words[0]);
                request.RequestUri = Url(_stats, words[1]);
                Assert.Equal(entry.Value.GetInt32(), (int)(await _http.SendAsync(request)).StatusCode);
                continue;
            }

            if (header[1] != "None")
                request.Headers.TryAddWithoutValidation(header[0], header[1]);
            using var response = await _http.SendAsync(request);
            if (header[0] == "Accept")
            {
                Assert.Equal(entry.Value[1].GetString(), response.Content.Headers.NonValidated["content-type"].ToString());
                continue;
            }

            Assert.Equal(entry.Value[1].GetString(), response.Content.Headers.ContentEncoding.SingleOrDefault());
            Assert.Equal("accept-encoding", response.Headers.NonValidated["vary"].ToString());
            var body = await response.Content.ReadAsByteArrayAsync();
            if (header[1] is "zstd" or "identity") // the compressors' first bytes depend on content and level
                Assert.StartsWith(entry.Value[3].GetString()![..8], Convert.ToHexStringLower(body), StringComparison.Ordinal);
            Assert.Equal("# HELP g G.\n# TYPE g gauge\ng 1\n# EOF\n", Encoding.UTF8.GetString(Decode(header[1], body)));
        }
    }

    [Theory]
    [InlineData("gzip;q=0", null)]
    [InlineData("gzip;q=0.5, br;q=0.9", "br")]
    [InlineData("br, gzip", "gzip")]
    [InlineData("snappy", null)]
    public async Task Metrics_TheClientsWeightsDecide(string accept, string? encoding)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Url(_stats, "/metrics"));
        request.Headers.TryAddWithoutValidation("Accept-Encoding", accept);
        using var response = await _http.SendAsync(request);
        Assert.Equal(encoding, response.Content.Headers.ContentEncoding.SingleOrDefault());
    }

    [Fact]
    public async Task Page_ThatFails_Is500WithTheReason()
    {
        var response = await _http.GetAsync(Url(_admin, "/fails"));
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Contains("no luck", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Request_ThatSendsItsHeadersSlowly_IsCutOff()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(_stats.EndPoints[0]);
        await client.GetStream().WriteAsync("GET /metrics HTTP/1.1\r\nHost: x\r\n"u8.ToArray());
        var answer = new byte[4096];
        var count = await client.GetStream().ReadAsync(answer).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
        Assert.True(count == 0 || Encoding.ASCII.GetString(answer, 0, count).StartsWith("HTTP/1.1 408", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Request_WithHeadersAboveEightKilobytes_IsRefused()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Url(_stats, "/metrics"));
        request.Headers.TryAddWithoutValidation("x-large", new string('x', 9000));
        Assert.Equal(HttpStatusCode.RequestHeaderFieldsTooLarge, (await _http.SendAsync(request)).StatusCode);
    }

    [Fact]
    public async Task Http2_IsNotSpoken()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Url(_stats, "/metrics")) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        await Assert.ThrowsAsync<HttpRequestException>(() => _http.SendAsync(request));
    }

    [Fact]
    public async Task Start_OnAPortThatIsTaken_NamesThePort()
    {
        await using var second = new AdminServer();
        second.Listen("stats", [_stats.EndPoints[0]], _ => { });
        var failure = await Assert.ThrowsAsync<AdminBindException>(() => second.StartAsync());
        Assert.Contains($"stats on {_stats.EndPoints[0]}", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stop_ClosesTheListenersAndLetsARequestFinish()
    {
        var entered = new TaskCompletionSource();
        var release = new TaskCompletionSource();
        await using var server = new AdminServer();
        var port = server.Listen("slow", [Free], r => r.Map("/", async http =>
        {
            entered.SetResult();
            await release.Task;
            await AdminReply.TextAsync(http, "done");
        }));
        await server.StartAsync();
        var request = _http.GetStringAsync(Url(port, "/"));
        await entered.Task;
        var stopping = server.StopAsync();
        release.SetResult();
        Assert.Equal("done", await request);
        await stopping;
        using var client = new TcpClient();
        await Assert.ThrowsAnyAsync<SocketException>(() => client.ConnectAsync(port.EndPoints[0]));
    }

    public Task InitializeAsync() => _server.StartAsync();

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
        _sink.Dispose();
    }

    /// <summary>Replays the recorded requests of one port, in their order.</summary>
    private async Task MatchRecordingAsync(AdminPort port, string which)
    {
        using var recorded = JsonDocument.Parse(Fixture.Read("responses.json"));
        foreach (var entry in recorded.RootElement.EnumerateObject())
        {
            var words = entry.Name.Split(' ');
            if (!words[1].StartsWith(":" + which, StringComparison.Ordinal))
                continue;
            using var request = new HttpRequestMessage(new HttpMethod(words[0]), Url(port, words[1][6..]));
            using var response = await _http.SendAsync(request);
            Assert.Equal(entry.Value.GetProperty("status").GetInt32(), (int)response.StatusCode);
            var headers = entry.Value.GetProperty("headers");
            Assert.Equal(headers.TryGetProperty("content-type", out var type) ? type.GetString() : null, response.Content.Headers.ContentType?.ToString());
            if (entry.Value.GetProperty("body").GetString() is { } body && !body.StartsWith('<'))
                Assert.Equal(body, await response.Content.ReadAsStringAsync());
        }
    }

    private static byte[] Decode(string encoding, byte[] body)
    {
        using var input = new MemoryStream(body);
        using var output = new MemoryStream();
        using Stream? decoder = encoding switch
        {
            "gzip" => new GZipStream(input, CompressionMode.Decompress),
            "br" => new BrotliStream(input, CompressionMode.Decompress),
            "deflate" => new ZLibStream(input, CompressionMode.Decompress),
            _ => null,
        };
        if (encoding == "zstd")
        {
            // One raw block, then the empty last one: header 6 bytes, block header 3 bytes.
            return body[9..^3];
        }

        (decoder ?? input).CopyTo(output);
        return output.ToArray();
    }

    private static Uri Url(AdminPort port, string path) => new($"http://{port.EndPoints[0]}{path}");

    private static LogFilter Parse(string text) => LogFilter.TryParse(text, out var filter, out _) ? filter : throw new InvalidOperationException();

    [Theory]
    [InlineData("0\n", true)]
    [InlineData("1\n", false)]
    public void Ipv6OnTheLoopback_MayBeSwitchedOff(string content, bool isOn)
    {
        var path = Path.GetTempFileName();
        File.WriteAllText(path, content);
        Assert.Equal(isOn, Ipv6Loopback.IsOn(path));
        File.Delete(path);
        Assert.True(Ipv6Loopback.IsOn(path));
    }
}

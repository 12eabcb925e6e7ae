using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Mesh.Testing;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mesh.Waypoint.Tests.Transport;

/// <summary>A waypoint with an application behind it and a plain port in front of its tunnels, for programs that know nothing of tunnels.</summary>
public sealed class ForeignWorld : IAsyncLifetime
{
    private Origin? _http1;
    private Origin? _grpc;
    private HboneMesh? _mesh;
    private HboneMesh? _grpcMesh;

    public IPEndPoint Entry { get; private set; } = null!;

    public IPEndPoint GrpcEntry { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        _http1 = await Origin.StartAsync(http => http.Request.Path.Value switch
        {
            "/echo" => http.Request.Body.CopyToAsync(http.Response.Body),
            "/teapot" => Task.FromResult(http.Response.StatusCode = 418),
            _ => http.Response.WriteAsync("ok"),
        });
        _grpc = await Origin.StartAsync(GrpcAsync, HttpProtocols.Http2);
        _mesh = await HboneMesh.StartAsync([_http1.Port], cluster: c => c.Protocol = V1.Protocol.Http1);
        _grpcMesh = await HboneMesh.StartAsync([_grpc.Port], cluster: c => c.Protocol = V1.Protocol.Grpc);
        Entry = _mesh.ListenPlain();
        GrpcEntry = _grpcMesh.ListenPlain();
    }

    public async Task DisposeAsync()
    {
        await _mesh!.DisposeAsync();
        await _grpcMesh!.DisposeAsync();
        await _http1!.DisposeAsync();
        await _grpc!.DisposeAsync();
    }

    private static async Task GrpcAsync(HttpContext http)
    {
        http.Response.ContentType = "application/grpc";
        switch (http.Request.Path.Value)
        {
            case "/test.Echo/Unary" or "/test.Echo/Stream":
                await http.Request.Body.CopyToAsync(http.Response.Body);
                break;
            case "/test.Echo/Count":
                for (byte i = 0; i < 50; i++)
                    await http.Response.Body.WriteAsync((byte[])[0, 0, 0, 0, 1, i]);
                break;
            case "/test.Echo/Never":
                await Task.Delay(Timeout.Infinite, http.RequestAborted);
                break;
            case "/test.Echo/Exhausted":
                http.Response.Headers["grpc-status"] = "8";
                http.Response.Headers["grpc-message"] = "too much";
                return;
        }

        http.Response.AppendTrailer("grpc-status", "0");
    }
}

/// <summary>Programs of other people through both tunnels. What is counted are answers; how fast they came is the bench's business.</summary>
public sealed class ForeignClientTests(ForeignWorld world) : IClassFixture<ForeignWorld>
{
    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(Prerequisites.FindTool(program) ?? program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        var output = process.StandardOutput.ReadToEndAsync(patience.Token);
        var error = process.StandardError.ReadToEndAsync(patience.Token);
        try
        {
            await process.WaitForExitAsync(patience.Token);
            var text = await output;
            Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}: {text}{await error}");
            return text;
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }

    [ToolFact("curl")]
    public async Task Curl_Http1AndHttp2_GetPostAndStatus()
    {
        foreach (var (flag, version) in ((string, string)[])[("--http1.1", "1.1"), ("--http2-prior-knowledge", "2")])
        {
            // One request per HTTP/2 connection: curl 7.88 fails with error 16 when it uses a connection with prior knowledge again, whoever serves it
            // (nghttpd, too; curl's issue 10634, mended in 8.0). Node, nghttp and h2load send several.
            var many = await RunAsync("curl", "-sS", flag, "-o", "/dev/null", "-w", "%{http_code} %{http_version}\n", version == "2" ? $"http://{world.Entry}/1" : $"http://{world.Entry}/[1-30]");
            Assert.Equal(Enumerable.Repeat($"200 {version}", version == "2" ? 1 : 30), many.Trim().Split('\n'));
            Assert.Equal("418", await RunAsync("curl", "-sS", flag, "-o", "/dev/null", "-w", "%{http_code}", $"http://{world.Entry}/teapot"));
            var body = new string('b', 300_000);
            var file = Path.GetTempFileName();
            await File.WriteAllTextAsync(file, body);
            Assert.Equal(body, await RunAsync("curl", "-sS", flag, "--data-binary", "@" + file, $"http://{world.Entry}/echo"));
            if (version == "1.1")
                Assert.Equal(body, await RunAsync("curl", "-sS", flag, "-H", "Transfer-Encoding: chunked", "-T", file, $"http://{world.Entry}/echo"));
            File.Delete(file);
        }
    }

    [ToolFact("h2load")]
    public async Task H2load_ManyStreams_AllSucceed()
    {
        foreach (var protocol in (string[])["--no-tls-proto=h2c", "--h1"])
        {
            var output = await RunAsync("h2load", "-n", "1000", "-c", "10", "-m", protocol == "--h1" ? "1" : "20", protocol, $"http://{world.Entry}/");
            Assert.Contains("1000 total, 1000 started, 1000 done, 1000 succeeded, 0 failed, 0 errored, 0 timeout", output, StringComparison.Ordinal);
            Assert.Contains("status codes: 1000 2xx, 0 3xx, 0 4xx, 0 5xx", output, StringComparison.Ordinal);
        }
    }

    [ToolFact("nghttp")]
    public async Task Nghttp_SeveralStreams_AreAnsweredAndTheConnectionEndsClean()
    {
        var output = await RunAsync("nghttp", "-nv", $"http://{world.Entry}/1", $"http://{world.Entry}/2", $"http://{world.Entry}/3");
        Assert.Equal(3, Regex.Count(output, ":status: 200"));
        Assert.DoesNotContain("RST_STREAM", output, StringComparison.Ordinal);
        Assert.DoesNotMatch("error_code=(?!NO_ERROR)", output);
    }

    [ToolFact("wrk")]
    public async Task Wrk_Http1_HasNoErrors()
    {
        var output = await RunAsync("wrk", "-t1", "-c20", "-d1s", $"http://{world.Entry}/");
        Assert.True(int.Parse(Regex.Match(output, @"(\d+) requests in").Groups[1].Value, CultureInfo.InvariantCulture) > 0, output);
        Assert.DoesNotContain("Socket errors", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Non-2xx", output, StringComparison.Ordinal);
    }

    [ToolFact("node")]
    public async Task Node_Http2AndHttp1_StreamsBodiesAndStatus()
    {
        using var result = JsonDocument.Parse(await RunAsync("node", Path.Combine(AppContext.BaseDirectory, "Services", "node_client.js"), world.Entry.ToString()));
        Assert.Equal(100, result.RootElement.GetProperty("h2").GetInt32());
        Assert.Equal(200_000, result.RootElement.GetProperty("h2Echo").GetInt32());
        Assert.Equal(418, result.RootElement.GetProperty("teapot").GetInt32());
        Assert.Equal(50, result.RootElement.GetProperty("h1").GetInt32());
    }

    [PythonGrpcFact]
    public async Task Grpc_UnaryStreamingDeadlineAndExhausted()
    {
        using var result = JsonDocument.Parse(await RunAsync(PythonGrpcFactAttribute.Python!, "-X", "utf8", Path.Combine(AppContext.BaseDirectory, "Services", "grpc_client.py"), world.GrpcEntry.ToString()));
        var root = result.RootElement;
        Assert.Equal((50, 50), (root.GetProperty("unary").GetInt32(), root.GetProperty("parallel").GetInt32()));
        Assert.Equal([1, 100, 70000], root.GetProperty("bidi").EnumerateArray().Select(e => e.GetInt32()));
        Assert.Equal(50, root.GetProperty("count").GetInt32());

        // Both sides have the deadline; which notices first is chance.
        Assert.Contains(root.GetProperty("deadline").GetString(), (string[])["DEADLINE_EXCEEDED", "UNAVAILABLE"]);
        Assert.Equal("RESOURCE_EXHAUSTED: too much", root.GetProperty("exhausted").GetString());
    }
}

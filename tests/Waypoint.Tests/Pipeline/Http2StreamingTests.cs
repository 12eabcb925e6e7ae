using System.Security.Cryptography;
using System.Text;
using Google.Protobuf.WellKnownTypes;
using Mesh.Http2;
using Mesh.Testing.Http2;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mesh.Waypoint.Tests.Pipeline;

/// <summary>Bodies and trailers of requests and responses on their way to and from HTTP/2 applications.</summary>
public sealed class Http2StreamingTests
{
    private static Task<OneService> StartAsync(Origin origin, Action<V1.ServicePort>? port = null, string version = "2.0") =>
        OneService.StartAsync([origin.Port], port, c => c.Protocol = V1.Protocol.Http2, Version.Parse(version));

    private static Task<Origin> TrailersAsync(Func<int>? status = null) => Origin.StartAsync(
        async http =>
        {
            using var reader = new StreamReader(http.Request.Body);
            var body = await reader.ReadToEndAsync();
            var trailers = http.Features.Get<IHttpRequestTrailersFeature>();
            http.Response.StatusCode = status?.Invoke() ?? 200;
            await http.Response.WriteAsync($"<{body}|{string.Join(',', trailers!.Available ? trailers.Trailers.Select(t => $"{t.Key}={t.Value}") : ["none"])}>");
        },
        HttpProtocols.Http2);

    [Theory]
    [InlineData("body", "<body|x-sum=7>")]
    [InlineData("", "<|x-sum=7>")]
    public async Task RequestTrailers_OfAnHttp2Client_ReachTheApplication(string body, string seen)
    {
        await using var origin = await TrailersAsync();
        await using var mesh = await StartAsync(origin);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "POST", "/", endStream: false);
        if (body.Length > 0)
            await client.SendDataAsync(1, body);
        await client.SendHeadersAsync(1, true, ("x-sum", "7"));
        Assert.Equal(seen, (await client.ResponseAsync(1)).Body);
    }

    [Fact]
    public async Task RequestTrailers_OfAChunkedBody_ReachTheApplication_ButNoneThatOnlyHeadersOrProxiesMayBe()
    {
        await using var origin = await TrailersAsync();
        await using var mesh = await StartAsync(origin);
        var answer = await mesh.RawAsync(
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n"
            + "X-Sum: 7\r\nHost: evil.example\r\nX-Envoy-Internal: true\r\nConnection: close\r\nContent-Length: 3\r\nX-Last: 8\r\n\r\n");
        Assert.Contains("<body|x-sum=7,x-last=8>", answer, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("evil", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("internal", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RequestTrailers_AreSentAgainByARetry()
    {
        var tries = 0;
        await using var origin = await TrailersAsync(() => Interlocked.Increment(ref tries) == 1 ? 503 : 200);
        await using var mesh = await StartAsync(origin, OneService.Route(f => f.Retry = new V1.RetryPolicy { Attempts = 1, RetryOn = { "5xx" }, BackoffBase = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(1)) }));
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "POST", "/", endStream: false);
        await client.SendDataAsync(1, "body");
        await client.SendHeadersAsync(1, true, ("x-sum", "7"));
        Assert.Equal((200, "<body|x-sum=7>"), await client.ResponseAsync(1) is var r ? (r.Status, r.Body) : default);
        Assert.Equal(2, tries);
    }

    [Fact]
    public async Task Grpc_BothWays_MessageByMessage()
    {
        await using var origin = await Origin.StartAsync(
            async http =>
            {
                http.Response.ContentType = "application/grpc";
                await http.Response.Body.FlushAsync();
                var message = new byte[6];
                while (await http.Request.Body.ReadAtLeastAsync(message, 6, throwOnEndOfStream: false) == 6)
                    await http.Response.Body.WriteAsync(message);
                http.Response.AppendTrailer("grpc-status", "0");
            },
            HttpProtocols.Http2);
        await using var mesh = await StartAsync(origin);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "POST", "/a.B/C", endStream: false, ("content-type", "application/grpc"), ("te", "trailers"));
        Assert.Equal("HEADERS", (await client.ReadAsync())!.Type);
        for (var i = 0; i < 5; i++)
        {
            await client.SendDataAsync(1, $"\0\0\0\0\u0001{i}");
            Assert.Equal($"\0\0\0\0\u0001{i}", (await client.ReadAsync())!.Text);
        }

        await client.SendDataAsync(1, string.Empty, endStream: true);
        Assert.Equal("0", (await client.ResponseAsync(1)).Headers?.Get("grpc-status"));
        Assert.Equal(("-", 200), await mesh.Waypoint.NextReportAsync() is var r ? (r.Flags, r.Status) : default);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task SlowReader_HoldsTheApplicationBack_AndGetsEveryByte_WhileOthersAreServed(string version)
    {
        const int Size = 48 * 1024 * 1024;
        var sent = 0L;
        var progress = new SemaphoreSlim(0);
        var piece = RandomNumberGenerator.GetBytes(64 * 1024);
        await using var origin = await Origin.StartAsync(
            async http =>
            {
                if (http.Request.Path == "/short")
                {
                    await http.Response.WriteAsync("short");
                    return;
                }

                for (var left = Size; left > 0; left -= piece.Length)
                {
                    await http.Response.Body.WriteAsync(piece, http.RequestAborted);
                    Interlocked.Add(ref sent, piece.Length);
                    progress.Release();
                }
            },
            HttpProtocols.Http2);
        await using var mesh = await StartAsync(origin, version: version);
        using var response = await mesh.GetAsync("/long");
        await using var body = await response.Content.ReadAsStreamAsync();

        // Until nothing moves any more.
        while (await progress.WaitAsync(TimeSpan.FromMilliseconds(500)))
        {
        }

        Assert.InRange(Interlocked.Read(ref sent), 1, Size / 2);
        Assert.Equal("short", await mesh.TextAsync("/short"));
        var buffer = new byte[piece.Length];
        for (var left = Size; left > 0; left -= piece.Length)
        {
            await body.ReadExactlyAsync(buffer);
            Assert.True(piece.AsSpan().SequenceEqual(buffer));
        }

        Assert.Equal(0, await body.ReadAsync(buffer));
    }

    [Fact]
    public async Task ManyClientsThatDoNotRead_HoldBackNobodyElse()
    {
        const int Count = 150;
        const int Size = 8 * 1024 * 1024;
        var sent = 0L;
        var progress = new SemaphoreSlim(0);
        var piece = RandomNumberGenerator.GetBytes(16 * 1024);
        await using var origin = await Origin.StartAsync(
            async http =>
            {
                http.Response.Headers["x-connection"] = http.Connection.Id;
                if (http.Request.Path == "/first")
                    return;
                for (var left = Size; left > 0; left -= piece.Length)
                {
                    await http.Response.Body.WriteAsync(piece, http.RequestAborted);
                    if (http.Request.Path == "/read")
                        continue;
                    Interlocked.Add(ref sent, piece.Length);
                    progress.Release();
                }
            },
            HttpProtocols.Http2,
            configure: l => l.Http2.MaxStreamsPerConnection = 1000);
        await using var mesh = await StartAsync(origin);

        // The connection's limit of streams is known before there are many.
        await mesh.TextAsync("/first");
        using var deaf = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        for (var i = 0; i < Count; i++)
            await deaf.SendRequestAsync((uint)((2 * i) + 1), "GET", "/unread");

        // Until nothing moves any more.
        while (Interlocked.Read(ref sent) < Count * 64 * 1024)
            Assert.True(await progress.WaitAsync(TimeSpan.FromSeconds(20)));
        while (await progress.WaitAsync(TimeSpan.FromMilliseconds(1000)))
        {
        }

        Assert.InRange(Interlocked.Read(ref sent), Count * 64 * 1024, Count * 512 * 1024);
        using var response = await mesh.GetAsync("/read");
        await using var body = await response.Content.ReadAsStreamAsync();
        var buffer = new byte[piece.Length];
        for (var left = Size; left > 0; left -= piece.Length)
        {
            await body.ReadExactlyAsync(buffer).AsTask().WaitAsync(TimeSpan.FromSeconds(20));
            Assert.True(piece.AsSpan().SequenceEqual(buffer));
        }

        var first = await deaf.ReadAsync();
        Assert.Equal(first!.Headers!.Get("x-connection"), response.Headers.GetValues("x-connection").Single());
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task SlowApplication_HoldsTheClientBack_AndGetsEveryByte(string version)
    {
        const int Size = 24 * 1024 * 1024;
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var origin = await Origin.StartAsync(
            async http =>
            {
                await go.Task;
                await http.Response.WriteAsync(Convert.ToHexString(await SHA256.HashDataAsync(http.Request.Body)));
            },
            HttpProtocols.Http2);
        await using var mesh = await StartAsync(origin, version: version);
        var content = RandomNumberGenerator.GetBytes(Size);
        var stream = new CountingStream(content);
        var answer = mesh.SendAsync(HttpMethod.Post, "/", new StreamContent(stream, 64 * 1024));
        while (await stream.Progress.WaitAsync(TimeSpan.FromMilliseconds(500)))
        {
        }

        Assert.InRange(stream.Position, 1, Size / 2);
        go.SetResult();
        Assert.Equal(Convert.ToHexString(SHA256.HashData(content)), await (await answer).Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task ManyAtOnce_NoneGetsAnothersBytes(string version)
    {
        await using var origin = await Origin.StartAsync(http => http.Request.Body.CopyToAsync(http.Response.Body), HttpProtocols.Http2);
        await using var mesh = await StartAsync(origin, version: version);
        await Parallel.ForEachAsync(Enumerable.Range(0, 300), new ParallelOptions { MaxDegreeOfParallelism = 150 }, async (i, _) =>
        {
            var sent = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat($"{i} ", i % 3 == 0 ? 20_000 : i)));
            using var response = await mesh.SendAsync(HttpMethod.Post, "/", new ByteArrayContent(sent));
            Assert.Equal(sent, await response.Content.ReadAsByteArrayAsync());
        });
    }

    private sealed class CountingStream(byte[] content) : MemoryStream(content)
    {
        public SemaphoreSlim Progress { get; } = new(0);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Progress.Release();
            return base.ReadAsync(buffer, cancellationToken);
        }
    }
}

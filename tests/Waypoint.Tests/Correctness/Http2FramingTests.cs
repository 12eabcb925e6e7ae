using System.Net;
using System.Net.Sockets;
using Mesh.Http2;
using Mesh.Testing.Http2;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mesh.Waypoint.Tests.Correctness;

/// <summary>HTTP/2 from clients that break its rules (RFC 9113 8), and what becomes of a message that changes its protocol on the way.</summary>
public sealed class Http2FramingTests
{
    private static readonly (string, string)[] Pseudo = [(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", "/")];

    private static Task EchoBody(HttpContext http) => http.Request.Body.CopyToAsync(http.Response.Body);

    public static TheoryData<string, string[]> Malformed => new()
    {
        { "upper case", [.. Flat(Pseudo), "X-Up", "1"] },
        { "unknown pseudo-header", [.. Flat(Pseudo), ":version", "1"] },
        { "pseudo-header behind a header", [":method", "GET", ":scheme", "http", "x-a", "1", ":authority", "x", ":path", "/"] },
        { "pseudo-header twice", [.. Flat(Pseudo), ":path", "/b"] },
        { "pseudo-header of a response", [.. Flat(Pseudo), ":status", "200"] },
        { "no path", [":method", "GET", ":scheme", "http", ":authority", "x"] },
        { "no method", [":scheme", "http", ":authority", "x", ":path", "/"] },
        { "path without slash", [":method", "GET", ":scheme", "http", ":authority", "x", ":path", "a"] },
        { "empty path", [":method", "GET", ":scheme", "http", ":authority", "x", ":path", ""] },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task Request_Malformed_IsAnErrorOfItsStream_AndReachesNobody(string what, string[] fields)
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendHeadersAsync(1, true, [.. Enumerable.Range(0, fields.Length / 2).Select(i => (fields[i * 2], fields[(i * 2) + 1]))]);
        var answer = await client.ResponseAsync(1);
        Assert.True(answer.Reset is not null || answer.Status == 400, $"{what}: {answer.Status}");
        Assert.Equal(0, origin.Count);
        Assert.Equal("ok", await mesh.TextAsync("/"));
    }

    [Theory]
    [InlineData("x-a", "1\r\nGET /hidden HTTP/1.1\r\nhost: x")]
    [InlineData("x-a", "1\nx-injected: 1")]
    [InlineData("x-a", "1\rx-injected: 1")]
    [InlineData("x-a", "1\0")]
    [InlineData("x-a: 1\r\nx-injected", "1")]
    [InlineData("x a", "1")]
    [InlineData("x-a:", "1")]
    public async Task Header_WithALineInIt_NeverReachesAnHttp1Application(string name, string value)
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        using var other = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "GET", "/", true, (name, value));
        var answer = await client.ResponseAsync(1);
        Assert.True(answer.Reset is not null || answer.Status == 400, $"{answer.Status} {answer.Body}");
        Assert.Equal(0, origin.Count);
        await other.SendRequestAsync(1, "GET", "/");
        Assert.Equal(200, (await other.ResponseAsync(1)).Status);
    }

    [Theory]
    [InlineData("/a b")]
    [InlineData("/a\r\nx-injected: 1")]
    [InlineData("/a HTTP/1.1\r\nhost: x\r\n\r\nGET /hidden")]
    public async Task Path_WithALineOrABlankInIt_NeverReachesAnHttp1Application(string path)
    {
        var seen = new List<string>();
        using var origin = new RawOrigin(async peer =>
        {
            while (await peer.ReadHeadAsync() is { Length: > 0 } head)
            {
                lock (seen)
                    seen.Add(head);
                await peer.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "GET", path);
        var answer = await client.ResponseAsync(1);
        Assert.True(answer.Reset is not null || answer.Status is 400 or 200, answer.Status.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Assert.All(seen, head => Assert.Matches("^GET /[^ \r\n]* HTTP/1.1\r\nhost: any.example\r\n", head));
        Assert.DoesNotContain(seen, head => head.Contains("injected: 1\r\n", StringComparison.Ordinal) && !head.StartsWith("GET /a%", StringComparison.Ordinal));
        Assert.True(seen.Count <= 1);
    }

    [Theory]
    [InlineData("5", "abc", "")]
    [InlineData("2", "abc", "")]
    [InlineData("3", "ab", "cd")]
    [InlineData("0", "a", "")]
    public async Task ContentLength_ThatIsNotTheSumOfTheData_IsAProtocolError(string length, string first, string second)
    {
        await using var origin = await Origin.StartAsync(EchoBody);
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "POST", "/", false, ("content-length", length));
        await client.SendDataAsync(1, first, endStream: second.Length == 0);
        if (second.Length > 0)
            await client.SendDataAsync(1, second, endStream: true);
        var answer = await client.ResponseAsync(1);
        Assert.True(answer.Reset is not null || answer.Status == 400, $"{answer.Status} {answer.Body}");
        Assert.Equal("ok?", await (await mesh.SendAsync(HttpMethod.Post, "/", new StringContent("ok?"))).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task AuthorityAndHost_Differ_TheAuthorityCounts()
    {
        await using var origin = await Origin.StartAsync(http => http.Response.WriteAsync(http.Request.Headers.Host.ToString()));
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "GET", "/", true, ("host", "evil.example"));
        Assert.Equal("any.example", (await client.ResponseAsync(1)).Body);
    }

    [Fact]
    public async Task Path_FragmentIsStripped_AndWhatIsNormalisedIsForwarded()
    {
        await using var origin = await Origin.StartAsync(http => http.Response.WriteAsync(http.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget));
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "GET", "/a/../b\\c?q=%2F#f");
        Assert.Equal("/b/c?q=%2F", (await client.ResponseAsync(1)).Body);
    }

    [Fact]
    public async Task ExtendedConnect_IsNotServed()
    {
        await using var mesh = await OneService.StartAsync([1]);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "CONNECT", "/ws", false, []);
        var answer = await client.ResponseAsync(1);
        Assert.True(answer.Reset is not null || answer.Status is 404 or 400, $"{answer.Status}");
    }

    [Theory]
    [InlineData(null, "chunked")]
    [InlineData("3", "3")]
    public async Task Http2Body_OnHttp1_IsChunkedUnlessItsLengthIsGiven(string? length, string framing)
    {
        await using var origin = await Origin.StartAsync(http => http.Response.WriteAsync($"{http.Request.Headers.TransferEncoding}{http.Request.Headers.ContentLength}"));
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "POST", "/", false, length is null ? [] : [("content-length", length)]);
        await client.SendDataAsync(1, "abc", endStream: true);
        Assert.Equal(framing, (await client.ResponseAsync(1)).Body);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task GetWithoutBody_OnHttp1_HasNoFraming(string version)
    {
        await using var origin = await Origin.StartAsync(http => http.Response.WriteAsync($"[{http.Request.Headers.TransferEncoding}{http.Request.Headers.ContentLength}]"));
        await using var mesh = await OneService.StartAsync([origin.Port], version: Version.Parse(version));
        Assert.Equal("[]", await mesh.TextAsync("/"));
    }

    [Theory]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "abc//")]
    [InlineData("Content-Length: 3\r\n\r\nabc", "abc//3")]
    public async Task Http1Body_OnHttp2_HasItsLengthOnlyWhereItWasGiven(string rest, string seen)
    {
        await using var origin = await Origin.StartAsync(
            async http =>
            {
                using var reader = new StreamReader(http.Request.Body);
                await http.Response.WriteAsync($"<{await reader.ReadToEndAsync()}/{http.Request.Headers.TransferEncoding}/{http.Request.Headers.ContentLength}>");
            },
            HttpProtocols.Http2);
        await using var mesh = await OneService.StartAsync([origin.Port], cluster: c => c.Protocol = V1.Protocol.Http2);
        Assert.Contains($"<{seen}>", await mesh.RawAsync("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + rest), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ResponseTrailers_ReachHttp2Clients_AndNotHttp1Ones()
    {
        using var origin = RawOrigin.Answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n");
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using var client = await RawHttp2Socket.ConnectAsync(mesh.Entry);
        await client.SendRequestAsync(1, "GET", "/");
        Assert.Equal("7", (await client.ResponseAsync(1)).Trailers?.Get("x-sum"));
        Assert.DoesNotContain("x-sum", await mesh.RawAsync("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task GoAwayFromTheApplication_RequestsAboveIt_AreRepeatedOnANewConnection()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var connections = 0;
        _ = ServeAsync();
        await using var mesh = await OneService.StartAsync([((IPEndPoint)listener.LocalEndpoint).Port], cluster: c => c.Protocol = V1.Protocol.Http2, version: HttpVersion.Version20);
        Assert.Equal("one", await mesh.TextAsync("/1"));
        Assert.Equal("two", await mesh.TextAsync("/2"));
        Assert.Equal(2, connections);
        return;

        async Task ServeAsync()
        {
            // The first connection answers stream 1, then says that 1 was the last; the second answers.
            using var first = await RawHttp2Socket.AcceptAsync(await listener.AcceptSocketAsync());
            connections++;
            await AnswerAsync(first, "one");
            while (await first.ReadAsync() is { Type: not "HEADERS" })
            {
            }

            await first.SendGoAwayAsync(1);
            using var second = await RawHttp2Socket.AcceptAsync(await listener.AcceptSocketAsync());
            connections++;
            await AnswerAsync(second, "two");
            await second.ReadAsync();
        }

        static async Task AnswerAsync(RawHttp2Socket server, string text)
        {
            while (await server.ReadAsync() is { } frame)
            {
                if (frame.Type != "HEADERS")
                    continue;
                await server.SendHeadersAsync(frame.StreamId, false, (":status", "200"));
                await server.SendDataAsync(frame.StreamId, text, endStream: true);
                return;
            }
        }
    }

    private static IEnumerable<string> Flat(IEnumerable<(string Name, string Value)> fields) => fields.SelectMany(f => (string[])[f.Name, f.Value]);
}

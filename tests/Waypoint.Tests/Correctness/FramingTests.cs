using System.Net.Sockets;
using System.Text;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Correctness;

/// <summary>Where one HTTP/1.1 request ends and the next begins: whatever could be read in two ways is refused before anybody reads it (RFC 9112).</summary>
public sealed class FramingTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: x\r\n";
    private const string Post = "POST / HTTP/1.1\r\nHost: x\r\n";

    /// <summary>What a smuggler hides behind the first request; must never become one.</summary>
    private const string Hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";

    public static TheoryData<string, string, int> Refused => new()
    {
        // Lengths.
        { "length and chunked", Post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Hidden, 400 },
        { "chunked and length", Post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + Hidden, 400 },
        { "two lengths", Post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab" + Hidden, 400 },
        { "the same length twice", Post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na" + Hidden, 400 },
        { "length as list", Post + "Content-Length: 1, 1\r\n\r\na" + Hidden, 400 },
        { "length with minus", Post + "Content-Length: -1\r\n\r\na" + Hidden, 400 },
        { "length in hex", Post + "Content-Length: 0x1\r\n\r\na" + Hidden, 400 },
        { "length without digits", Post + "Content-Length:\r\n\r\n" + Hidden, 400 },
        { "length too large", Post + "Content-Length: 99999999999999999999\r\n\r\n" + Hidden, 400 },

        // Codings.
        { "coding that is not chunked", Post + "Transfer-Encoding: identity\r\n\r\n" + Hidden, 400 },
        { "coding before chunked", Post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + Hidden, 501 },
        { "coding after chunked", Post + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" + Hidden, 400 },
        { "chunked twice", Post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Hidden, 501 },
        { "coding with a vertical tab", Post + "Transfer-Encoding: \u000bchunked\r\n\r\n0\r\n\r\n" + Hidden, 400 },
        { "chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Hidden, 426 },

        // Lines and names.
        { "bare CR", Get + "X-A: a\rb\r\n\r\n" + Hidden, 400 },
        { "bare LF", "GET / HTTP/1.1\nHost: x\n\n" + Hidden, 400 },
        { "LF in a header section", Get + "X-A: a\nX-B: b\r\n\r\n" + Hidden, 400 },
        { "NUL in a value", Get + "X-A: a\0b\r\n\r\n" + Hidden, 400 },
        { "no colon", Get + "X-A\r\n\r\n" + Hidden, 400 },
        { "space before the colon", Get + "X-A : a\r\n\r\n" + Hidden, 400 },
        { "coding with a space before the colon", Post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + Hidden, 400 },
        { "empty name", Get + ": a\r\n\r\n" + Hidden, 400 },
        { "name that is no token", Get + "X@(A: a\r\n\r\n" + Hidden, 400 },
        { "folded line", Get + "X-A: a\r\n b\r\n\r\n" + Hidden, 400 },
        { "first line indented", "GET / HTTP/1.1\r\n Host: x\r\n\r\n" + Hidden, 400 },

        // The request line.
        { "method in lower case", "get / HTTP/1.1\r\nHost: x\r\n\r\n" + Hidden, 400 },
        { "method that is no token", "G{T / HTTP/1.1\r\nHost: x\r\n\r\n" + Hidden, 400 },
        { "space in the target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n" + Hidden, 400 },
        { "target without slash", "GET a HTTP/1.1\r\nHost: x\r\n\r\n" + Hidden, 405 },
        { "authority form without CONNECT", "GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n" + Hidden, 405 },
        { "NUL in the target", "GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n" + Hidden, 400 },
        { "HTTP/1.0", "GET / HTTP/1.0\r\nHost: x\r\n\r\n" + Hidden, 426 },
        { "HTTP/0.9", "GET /\r\n" + Hidden, 400 },
        { "HTTP/1.2", "GET / HTTP/1.2\r\nHost: x\r\n\r\n" + Hidden, 505 },

        // Host.
        { "no Host", "GET / HTTP/1.1\r\nX-A: a\r\n\r\n" + Hidden, 400 },
        { "empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n" + Hidden, 400 },
        { "two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + Hidden, 400 },
        { "the same Host twice", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n" + Hidden, 400 },
        { "Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n" + Hidden, 400 },
        { "Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" + Hidden, 400 },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task Request_WithMoreThanOneMeaning_IsRefusedAndTheConnectionClosed(string what, string raw, int status)
    {
        await using var origin = await Origin.TextAsync("ok");
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = await mesh.RawAsync(raw);
        Assert.True(answer.StartsWith($"HTTP/1.1 {status} ", StringComparison.Ordinal), $"{what}: {answer}");
        Assert.Equal(1, answer.Split("HTTP/1.1 ").Length - 1);
        Assert.Equal(0, origin.Count);
        Assert.Equal("ok", await mesh.TextAsync("/another"));
    }

    [Theory]
    [InlineData("xyz\r\nabc\r\n0\r\n\r\n")]
    [InlineData("3\r\nabcX0\r\n\r\n")]
    [InlineData("-1\r\nabc\r\n0\r\n\r\n")]
    [InlineData("3\nabc\r\n0\r\n\r\n")]
    public async Task Chunk_ThatIsNone_EndsTheConnection_AndNothingBehindItIsARequest(string body)
    {
        var seen = 0;
        await using var origin = await Origin.StartAsync(async http =>
        {
            Interlocked.Increment(ref seen);
            try
            {
                await http.Request.Body.CopyToAsync(Stream.Null);
            }
            catch (BadHttpRequestException)
            {
                // The waypoint gave up.
            }
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = await mesh.RawAsync(Post + "Transfer-Encoding: chunked\r\n\r\n" + body + Hidden);
        Assert.True(answer.Length == 0 || answer.StartsWith("HTTP/1.1 400", StringComparison.Ordinal), answer);
        Assert.True(seen <= 1, $"{seen} requests reached the application");
        Assert.NotEqual("/hidden", (await mesh.Waypoint.NextReportAsync()).Path);
    }

    [Theory]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n3;ext=1;b=\"q\"\r\nabc\r\n0\r\n\r\n", "abc")]
    [InlineData("Transfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n", "abc")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", "0123456789")]
    [InlineData("Content-Length: 3 \r\n\r\nabc", "abc")]
    [InlineData("Content-Length: +3\r\n\r\nabc", "abc")]
    [InlineData("X_A: 1\r\nContent-Length: 3\r\n\r\nabc", "abc")]
    public async Task Body_InEachAllowedForm_ArrivesWhole(string rest, string body)
    {
        await using var origin = await Origin.StartAsync(async http =>
        {
            using var reader = new StreamReader(http.Request.Body);
            await http.Response.WriteAsync($"<{await reader.ReadToEndAsync()}>{http.Request.ContentLength}");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        Assert.Contains($"<{body}>", await mesh.RawAsync(Post + "Connection: close\r\n" + rest), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET http://other.example/a?b HTTP/1.1\r\nHost: x\r\n", "/a?b", "other.example")]
    [InlineData("GET http://other.example HTTP/1.1\r\nHost: x\r\n", "/", "other.example")]
    [InlineData("GET /a#fragment HTTP/1.1\r\nHost: x\r\n", "/a", "x")]
    [InlineData("\r\nGET /a HTTP/1.1\r\nHost: x:8080\r\nX-8Bit: caf\u00e9\r\n", "/a", "x:8080")]
    public async Task Target_InEachForm_ReachesTheApplicationInOriginForm(string head, string target, string host)
    {
        using var origin = new RawOrigin(async peer =>
        {
            var request = await peer.ReadHeadAsync();
            await peer.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {request.Length}\r\n\r\n{request}");
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = await mesh.RawAsync(head + "Connection: close\r\n\r\n");
        Assert.Contains($"GET {target} HTTP/1.1\r\nhost: {host}\r\n", answer, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Asterisk_IsFoundNowhere_AndConnectInsideIsNoProxy()
    {
        await using var mesh = await OneService.StartAsync([1]);
        Assert.StartsWith("HTTP/1.1 404", await mesh.RawAsync("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        Assert.Equal("absolute_path_rejected", (await mesh.Waypoint.NextReportAsync()).Details);
        Assert.StartsWith("HTTP/1.1 404", await mesh.RawAsync("CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n"), StringComparison.Ordinal);
        Assert.Equal("NR", (await mesh.Waypoint.NextReportAsync()).Flags);
    }

    [Fact]
    public async Task Pipelined_RequestsAreAnsweredInOrder()
    {
        await using var origin = await Origin.StartAsync(http => http.Response.WriteAsync($"<{http.Request.Path}>"));
        await using var mesh = await OneService.StartAsync([origin.Port]);
        var answer = await mesh.RawAsync(string.Concat(Enumerable.Range(0, 5).Select(i => $"POST /{i} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")) + "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        var at = (string[])["</0>", "</1>", "</2>", "</3>", "</4>", "</last>"];
        Assert.Equal(at.Select(a => answer.IndexOf(a, StringComparison.Ordinal)).Order(), at.Select(a => answer.IndexOf(a, StringComparison.Ordinal)));
        Assert.DoesNotContain(-1, at.Select(a => answer.IndexOf(a, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Body_ShorterThanItsLength_EndsTheTry_AndNothingIsMadeUp()
    {
        var ended = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var origin = new RawOrigin(async peer =>
        {
            await peer.ReadUntilAsync("abc");
            arrived.TrySetResult();
            ended.TrySetResult(await peer.ReadUntilAsync("never"));
        });
        await using var mesh = await OneService.StartAsync([origin.Port]);
        using (var client = new TcpClient())
        {
            await client.ConnectAsync(mesh.Entry);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(Post + "Content-Length: 10\r\n\r\nabc"));
            await arrived.Task.WaitAsync(TimeSpan.FromSeconds(20));
        }

        Assert.Equal(string.Empty, await ended.Task.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Equal("DC", (await mesh.Waypoint.NextReportAsync()).Flags);
    }
}

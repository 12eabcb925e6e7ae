using System.Globalization;
using System.Net;
using System.Text.Json;
using Mesh.Runtime.Admin;
using Mesh.Runtime.Decisions;
using Mesh.Runtime.Logging;

namespace Mesh.Runtime.Tests.Decisions;

public sealed class DecisionRingTests
{
    private sealed record Sample(int Number, string Ending = "ok", string? TraceId = null) : IDecision
    {
        public bool IsFrom(string text) => $"client-{Number}".Contains(text, StringComparison.Ordinal);

        public bool IsTo(string text) => $"server-{Number}".Contains(text, StringComparison.Ordinal);

        public void Write(Utf8JsonWriter json)
        {
            json.WriteNumber("number", Number);
            json.Text("nothing", null);
            json.Text("peer", "spiffe://a/ns/b/sa/<c>");
            json.Milliseconds("total_ms", TimeSpan.FromMicroseconds(1500));
        }
    }

    [Fact]
    public void Ring_KeepsTheLastOnes_NewestFirst()
    {
        var ring = new DecisionRing<Sample>(16);
        Assert.Empty(ring.Newest());
        for (var i = 0; i < 40; i++)
            ring.Add(new Sample(i));
        Assert.Equal(Enumerable.Range(24, 16).Reverse(), ring.Newest().Select(d => d.Number));
    }

    [Fact]
    public async Task Ring_WrittenByManyThreads_LosesNothingThatFits()
    {
        var ring = new DecisionRing<Sample>(4096);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(t => Task.Run(() =>
        {
            for (var i = 0; i < 1000; i++)
                ring.Add(new Sample((t * 1000) + i));
        })));
        Assert.Equal(Enumerable.Range(0, 4000), ring.Newest().Select(d => d.Number).Order());
    }

    [Theory]
    [InlineData("client-3", null, null, null, 3)]
    [InlineData(null, "server-2", null, null, 2)]
    [InlineData(null, null, "ABC", null, 1)]
    [InlineData(null, null, null, "tunnel_lost", 2)]
    [InlineData("client", "server", null, "!ok", 2)]
    [InlineData("client-1", null, null, "tunnel_lost", -1)]
    public void Query_NeedsEveryPart(string? from, string? to, string? id, string? ending, int expected)
    {
        var ring = new DecisionRing<Sample>(16);
        ring.Add(new Sample(1, TraceId: "abcdef"));
        ring.Add(new Sample(2, "tunnel_lost", "123456"));
        ring.Add(new Sample(3));
        var found = ring.Find(new DecisionQuery(from, to, id, ending, 1)).ToList();
        Assert.Equal(expected, found.Count == 0 ? -1 : Assert.Single(found).Number);
    }

    [Fact]
    public async Task Page_IsOneObjectPerLine_AndRefusesWhatItDoesNotKnow()
    {
        var ring = new DecisionRing<Sample>(4096);
        for (var i = 0; i < 3000; i++)
            ring.Add(new Sample(i, i % 2 == 0 ? "ok" : "drained"));
        using var sink = new LogSink(Stream.Null, LogFormat.Text, LogFilter.TryParse("info", out var filter, out _) ? filter : default!, TimeProvider.System);
        await using var server = new AdminServer(sink);
        var port = server.Listen("admin", [new IPEndPoint(IPAddress.Loopback, 0)], r => r.MapDecisions(ring));
        await server.StartAsync();
        using var http = new HttpClient { BaseAddress = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port.EndPoints[0].Port}")) };

        var all = (await http.GetStringAsync(new Uri("/decisions?limit=2500", UriKind.Relative))).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2500, all.Length);
        Assert.Equal("""{"number":2999,"peer":"spiffe://a/ns/b/sa/<c>","total_ms":1.5}""", all[0]);
        Assert.Equal(DecisionQuery.DefaultLimit, (await http.GetStringAsync(new Uri("/decisions", UriKind.Relative))).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Equal(2, (await http.GetStringAsync(new Uri("/decisions?dst=server-299&ending=ok&limit=2", UriKind.Relative))).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);

        foreach (var wrong in new[] { "/decisions?source=x", "/decisions?limit=0", "/decisions?limit=-1" })
        {
            using var answer = await http.GetAsync(new Uri(wrong, UriKind.Relative));
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        }
    }
}

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Daemon;

namespace Mesh.Meshctl.Tests.Daemon;

public sealed class DecisionCollectorTests
{
    private static readonly DecisionSource[] Sources = [new("ztunnel-1", "node-1", "/one"), new("ztunnel-2", "node-2", "/two"), new("waypoint", "node-2", "/three")];

    [Fact]
    public async Task HopThatDoesNotMatchItself_IsFoundByTheTraceOfOneThatDoes()
    {
        var asked = new List<string>();
        Task<string> Get(string path, string page, CancellationToken cancel)
        {
            lock (asked)
                asked.Add($"{path} {page}");
            return Task.FromResult((path, page.Contains("id=aa", StringComparison.Ordinal)) switch
            {
                ("/one", _) => """{"time":"2026-01-01T00:00:02Z","ending":"tunnel_refused","trace_id":"aa"}""" + "\n",
                ("/two", true) => """{"time":"2026-01-01T00:00:01Z","ending":"denied_by_policy","trace_id":"aa"}""" + "\n",
                ("/two", false) => string.Empty,
                _ => throw new HttpRequestException("connection refused"),
            });
        }

        var found = await new DecisionCollector(Sources, Get).CollectAsync(new WhyRequest { From = "a b", To = "web", Limit = 3 }, CancellationToken.None);
        Assert.Equal([1, 1, 0], found.Select(p => p.Records.Count));
        Assert.Contains("denied_by_policy", found[1].Records[0], StringComparison.Ordinal);
        Assert.Equal("connection refused", found[2].Error);
        Assert.Contains("/one /decisions?open=true&src=a%20b&dst=web&limit=3", asked);
    }

    [Fact]
    public async Task OpenConnection_ToldTwice_IsOne()
    {
        var told = 0;
        Task<string> Get(string path, string page, CancellationToken cancel) => Task.FromResult(path == "/one"
            ? $$"""{"time":"2026-01-01T00:00:02Z","ending":"open","direction":"outbound","src.addr":"198.18.1.1:5","trace_id":"aa","idle_ms":{{Interlocked.Increment(ref told)}}}""" + "\n"
            : string.Empty);
        var found = await new DecisionCollector(Sources, Get).CollectAsync(new WhyRequest(), CancellationToken.None);
        Assert.Single(found[0].Records);
    }
}

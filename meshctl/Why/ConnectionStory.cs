using Mesh.Meshctl.Control;

namespace Mesh.Meshctl.Why;

/// <summary>One connection as all hops tell it, from the client's node to the destination's.</summary>
internal sealed class ConnectionStory
{
    private ConnectionStory(IEnumerable<Hop> hops) => Hops = [.. hops.OrderBy(h => h.Order).ThenBy(h => h.Began)];

    public IReadOnlyList<Hop> Hops { get; }

    public string? Id => Hops.Select(h => h.Text("trace_id")).FirstOrDefault(t => t is not null);

    public DateTimeOffset Began => Hops.Min(h => h.Began);

    public DateTimeOffset Ended => Hops.Max(h => h.Ended);

    public string Client => First("src.workload") ?? Hops[0].Text("src.addr") ?? "?";

    public string Destination
    {
        get
        {
            var asked = Hops[0].Text("dst.original");
            var name = First("dst.service") ?? Hops[^1].Text("dst.workload") ?? First("dst.workload");
            return name is null ? asked ?? "?" : asked is null ? name : $"{name} ({asked})";
        }
    }

    /// <summary>The hop that ended it: the farthest one that did not end well, because those before it only pass its end on.</summary>
    public Hop Cause => Hops.LastOrDefault(h => h is { IsOk: false, IsOpen: false }) ?? Hops.LastOrDefault(h => h.IsOpen) ?? Hops[^1];

    /// <summary>What the next hop stated where its own record is not there.</summary>
    public string? StatedByTheNext => Cause.Text("peer_reason");

    /// <summary>Records that share a trace are one connection; one without a trace stands for itself.</summary>
    /// <returns>Newest first.</returns>
    public static List<ConnectionStory> Join(IEnumerable<ProxyDecisions> proxies)
    {
        var groups = new List<(HashSet<string> Traces, List<Hop> Hops)>();
        foreach (var hop in proxies.SelectMany(p => p.Records.Select(r => new Hop(p.Proxy, p.Where, r))))
        {
            var traces = hop.Traces.ToHashSet(StringComparer.Ordinal);
            var hops = new List<Hop> { hop };
            foreach (var same in groups.Where(g => g.Traces.Overlaps(traces)).ToList())
            {
                groups.Remove(same);
                traces.UnionWith(same.Traces);
                hops.AddRange(same.Hops);
            }
            groups.Add((traces, hops));
        }
        return [.. groups.Select(g => new ConnectionStory(g.Hops)).OrderByDescending(s => s.Ended)];
    }

    private string? First(string name) => Hops.Select(h => h.Text(name)).FirstOrDefault(t => t is not null);
}

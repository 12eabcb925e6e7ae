using System.Text.Json;

using Mesh.Meshctl.Control;

namespace Mesh.Meshctl.Daemon;

/// <summary>A proxy whose decision records can be read: its admin port is on the loopback of its own network namespace.</summary>
internal sealed record DecisionSource(string Proxy, string Where, string NetworkNamespacePath);

/// <summary>
/// Asks every proxy twice: first which connections match, then for everything that any of them knows about these by their trace. A hop need not
/// match itself: the destination's node may not know the name by which the client called it.
/// </summary>
/// <param name="get">Reads a page of a namespace's admin port.</param>
internal sealed class DecisionCollector(IReadOnlyList<DecisionSource> proxies, Func<string, string, CancellationToken, Task<string>> get)
{
    public DecisionCollector(IReadOnlyList<DecisionSource> proxies)
        : this(proxies, ProxyPages.GetAsync)
    {
    }

    public async Task<List<ProxyDecisions>> CollectAsync(WhyRequest wanted, CancellationToken cancel)
    {
        var query = Query(("src", wanted.From), ("dst", wanted.To), ("id", wanted.Id), ("ending", wanted.Ending), ("limit", $"{wanted.Limit}"));
        var first = await Task.WhenAll(proxies.Select(p => AskAsync(p, query, cancel)));

        // The newest of all proxies, not of each.
        var traces = first.SelectMany(p => p.Records).Select(Parse)
            .OrderByDescending(r => r.Time).SelectMany(r => r.Traces).Distinct(StringComparer.Ordinal).Take(wanted.Limit * 2).ToList();
        var all = await Task.WhenAll(first.Select(async (known, i) =>
        {
            if (known.Error is not null)
                return known;
            var more = await Task.WhenAll(traces.Select(trace => AskAsync(proxies[i], Query(("id", trace)), cancel)));
            return known with { Records = [.. known.Records.Concat(more.SelectMany(m => m.Records)).DistinctBy(Identity)] };
        }));
        return [.. all];
    }

    private async Task<ProxyDecisions> AskAsync(DecisionSource proxy, string query, CancellationToken cancel)
    {
        try
        {
            var page = await get(proxy.NetworkNamespacePath, $"/decisions?open=true&{query}", cancel);
            return new ProxyDecisions(proxy.Proxy, proxy.Where, [.. page.Split('\n', StringSplitOptions.RemoveEmptyEntries)], null);
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or Mesh.Net.SocketFailureException && !cancel.IsCancellationRequested)
        {
            return new ProxyDecisions(proxy.Proxy, proxy.Where, [], e.Message);
        }
    }

    private static string Query(params (string Name, string? Value)[] parts) =>
        string.Join('&', parts.Where(p => p.Value is not null).Select(p => $"{p.Name}={Uri.EscapeDataString(p.Value!)}"));

    private static (string Time, IEnumerable<string> Traces) Parse(string record)
    {
        using var json = JsonDocument.Parse(record);
        string? Text(string name) => json.RootElement.TryGetProperty(name, out var value) ? value.GetString() : null;
        return (Text("time") ?? string.Empty, new[] { Text("trace_id"), Text("upstream_trace_id") }.OfType<string>().ToList());
    }

    /// <summary>An open connection is told anew each time, with other times and counts.</summary>
    private static string Identity(string record)
    {
        using var json = JsonDocument.Parse(record);
        string? Text(string name) => json.RootElement.TryGetProperty(name, out var value) ? value.GetString() : null;
        return Text("ending") == Mesh.Runtime.Decisions.IDecision.Open
            ? string.Join(' ', "open", Text("direction"), Text("src.addr"), Text("dst.original"), Text("trace_id"))
            : record;
    }
}

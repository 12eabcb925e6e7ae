using Mesh.SideBySide.Rig;

namespace Mesh.SideBySide.Measuring;

/// <summary>All samples, by peer, load and round.</summary>
internal sealed class Results
{
    private readonly Dictionary<(string Peer, string Work), List<Sample>> _samples = [];

    public IEnumerable<(string Peer, string Work)> Keys => _samples.Keys;

    public void Add(string peer, string work, Sample sample) => (_samples.TryGetValue((peer, work), out var list) ? list : _samples[(peer, work)] = []).Add(sample);

    public IEnumerable<string> Figures(string peer, string work) => _samples[(peer, work)].SelectMany(s => s.Keys).Distinct(StringComparer.Ordinal);

    public Series? Of(string peer, string work, string figure) =>
        _samples.TryGetValue((peer, work), out var samples) && samples.Count > 0 ? new Series([.. samples.Select(s => s[figure])]) : null;

    /// <summary>Ratios (or differences) within each round: what disturbs a round disturbs both.</summary>
    public Series? Of(Row row)
    {
        var ours = Of(row.Ours.Peer, row.Ours.Work.Key, row.Ours.Figure);
        if (ours is null || row.Against is not { } against)
            return ours;
        var other = Of(against.Peer, against.Work.Key, against.Figure);
        if (other is null)
            return null;
        return new Series([.. ours.Values.Zip(other.Values, (a, b) => row.Difference ? a - b : b > 0 ? a / b : 0)]);
    }
}

/// <summary>Rounds: every load on every peer once, in an order that turns around each time.</summary>
internal static class Rounds
{
    public static async Task<Results> RunAsync(Setup setup, IReadOnlyList<(string Peer, Work Work)> plan, int rounds, int seconds, Action<string> say)
    {
        var results = new Results();
        var grouped = plan.Distinct().GroupBy(p => p.Work.Key).Select(g => g.ToList()).ToList();
        foreach (var works in grouped.SelectMany(g => g).Where(p => p.Work is not AbsoluteWork).GroupBy(p => p.Peer, p => p.Work))
        {
            var peer = await setup.PeerAsync(works.Key);
            await setup.Network.CaptureAsync(peer.File.Capture);
            foreach (var work in works.OfType<Http2Work>().Prepend<Work>(new HttpWork(64)))
                await work.RunAsync(setup, peer, Math.Max(2, seconds)); // code is compiled, pools are warm
        }

        for (var round = 1; round <= rounds; round++)
        {
            foreach (var group in grouped)
            {
                foreach (var (name, work) in round % 2 == 1 ? group : group.AsEnumerable().Reverse())
                {
                    var peer = await setup.PeerAsync(name);
                    await setup.Network.CaptureAsync(peer.File.Capture);
                    peer.ThrowIfEnded();
                    await Task.Delay(200);
                    var sample = await work.RunAsync(setup, peer, seconds);
                    results.Add(name, work.Key, sample);
                    say($"round {round}/{rounds}  {name,-15} {work.Key,-14} {string.Join("  ", sample.Select(f => $"{f.Key} {Reporting.Format.Number(f.Value)}"))}");
                }
            }
        }

        return results;
    }
}

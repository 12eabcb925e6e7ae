using Mesh.IstiodLite.Resources;
using Mesh.Waypoint.V1;
using Wds = Istio.Workload;

namespace Mesh.IstiodLite.Waypoints;

/// <summary>localityLbSetting.distribute: shares of the traffic for localities, as weights of their endpoints.</summary>
internal static class LocalityWeights
{
    // Weights are whole numbers: a percent is split among the endpoints of a locality in steps this small.
    private const double StepsPerPercent = 1000;

    /// <summary>False: nothing is said about clients where the waypoint is. Endpoints of localities without a share get no traffic.</summary>
    public static bool Distribute(Cluster cluster, LocalityRules? rules, Wds.Locality? own)
    {
        if (own is null || rules is null || rules.Enabled is false || rules.Distribute.FirstOrDefault(d => Covers(d.From, own.Region, own.Zone, own.Subzone)) is not { } rule)
            return false;
        var shares = cluster.Endpoints.Select(e => rule.To.Keys.Where(t => Covers(t, e.Region, e.Zone, e.Subzone)).MaxBy(t => t.Length)).ToList();
        var totals = cluster.Endpoints.Zip(shares).Where(e => e.Second is not null).GroupBy(e => e.Second!, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Sum(e => (double)Math.Max(1, e.First.Weight)), StringComparer.Ordinal);
        var kept = new List<Endpoint>();
        foreach (var (endpoint, share) in cluster.Endpoints.Zip(shares))
        {
            if (share is null)
                continue;
            endpoint.Weight = (uint)Math.Max(1, Math.Round(rule.To[share] * StepsPerPercent * Math.Max(1, endpoint.Weight) / totals[share]));
            kept.Add(endpoint);
        }
        cluster.Endpoints.Clear();
        cluster.Endpoints.AddRange(kept);
        return true;
    }

    private static bool Covers(string pattern, string region, string zone, string subzone)
    {
        string[] parts = [region, zone, subzone];
        var written = pattern.Split('/');
        for (var i = 0; i < written.Length && i < parts.Length; i++)
        {
            if (written[i] is "*")
                return true;
            if (written[i] != parts[i])
                return false;
        }
        return true;
    }
}

namespace Mesh.Waypoint.Balancing;

/// <summary>The usable endpoints of a cluster at one moment, by priority, each with its balancer. Immutable; replaced on every ejection.</summary>
internal sealed class ClusterView
{
    /// <summary>So often the balancer is asked again for an endpoint that was not tried before (reference 1.8).</summary>
    private const int Reselections = 5;

    /// <summary>Envoy's over-provisioning factor: a priority carries its whole share while 72 % of it work.</summary>
    private const double OverProvisioning = 1.4;

    private readonly IBalancer?[] _balancers;
    private readonly double[] _upTo;

    private ClusterView(ClusterModel model, EndpointState[] all, IBalancer?[] balancers, double[] upTo, bool needsRefresh, DateTimeOffset? nextReturn)
    {
        NextReturn = nextReturn;
        Model = model;
        All = all;
        _balancers = balancers;
        _upTo = upTo;
        NeedsRefresh = needsRefresh;
    }

    public ClusterModel Model { get; }

    public IReadOnlyList<EndpointState> All { get; }

    /// <summary>Warm-up is under way: weights change by time alone.</summary>
    public bool NeedsRefresh { get; }

    /// <summary>When the first of the endpoints that are left alone is not any more; null: none is.</summary>
    public DateTimeOffset? NextReturn { get; }

    public static ClusterView Build(ClusterModel model, EndpointState[] endpoints, DateTimeOffset now, Random random)
    {
        var levels = endpoints.Select((e, i) => (Endpoint: e, Priority: model.PriorityOf(i)))
            .GroupBy(e => e.Priority, e => e.Endpoint)
            .OrderBy(g => g.Key)
            .Select(g => g.ToArray())
            .ToArray();
        var balancers = new IBalancer?[levels.Length];
        var upTo = new double[levels.Length];
        var left = 1.0;
        var taken = 0.0;
        var warming = false;
        DateTimeOffset? nextReturn = null;
        for (var i = 0; i < levels.Length; i++)
        {
            var usable = levels[i].Where(e => e.Description.Healthy && !e.Outlier.IsEjected).ToArray();
            var healthy = (double)usable.Length / levels[i].Length;
            if (100 * healthy < model.PanicPercent)
                usable = levels[i];
            var share = Math.Min(left, Math.Min(1, usable.Length == levels[i].Length ? 1 : healthy * OverProvisioning));
            if (usable.Length > 0)
            {
                balancers[i] = Balancer(model, Preferred(model, usable, now, ref nextReturn), now, random, ref warming);
                taken += share;
                left -= share;
            }

            upTo[i] = taken;
        }

        return new ClusterView(model, endpoints, balancers, upTo, warming, nextReturn);
    }

    /// <summary>
    /// Without those that answered that they are rate-limited - as long as these are not more than half: the others would get all of their load,
    /// and a client that is over a limit of its own could steer everybody's requests to one endpoint.
    /// </summary>
    private static EndpointState[] Preferred(ClusterModel model, EndpointState[] usable, DateTimeOffset now, ref DateTimeOffset? nextReturn)
    {
        if (model.Hash is not null)
            return usable;
        var preferred = new List<EndpointState>(usable.Length);
        foreach (var endpoint in usable)
        {
            var until = endpoint.PushedBackUntil;
            if (until <= now)
                preferred.Add(endpoint);
            else if (nextReturn is null || until < nextReturn)
                nextReturn = until;
        }

        return preferred.Count < usable.Length && preferred.Count * 2 >= usable.Length ? [.. preferred] : usable;
    }

    /// <param name="avoid">Endpoints tried before: chosen again only where no other may be used.</param>
    /// <returns>Null: no endpoint may be used.</returns>
    public EndpointState? Pick(ulong? hash, Random random, IReadOnlyList<EndpointState>? avoid = null)
    {
        if (_upTo.Length == 0 || _upTo[^1] <= 0)
            return null;
        EndpointState? picked = null;
        for (var attempt = 0; attempt <= Reselections; attempt++)
        {
            picked = PickOnce(hash, random);
            if (avoid is null || picked is null || !Contains(avoid, picked))
                return picked;
        }

        // Chance has named tried ones only; Envoy leaves it at that.
        var start = random.Next(All.Count);
        for (var i = 0; i < All.Count; i++)
        {
            var other = All[(start + i) % All.Count];
            if (other.Description.Healthy && !other.Outlier.IsEjected && !Contains(avoid!, other))
                return other;
        }

        return picked;
    }

    private EndpointState? PickOnce(ulong? hash, Random random)
    {
        if (_balancers.Length == 1)
            return _balancers[0]!.Pick(hash, random);
        var value = random.NextDouble() * _upTo[^1];
        for (var i = 0; i < _upTo.Length; i++)
        {
            if (value < _upTo[i] && _balancers[i] is { } balancer)
                return balancer.Pick(hash, random);
        }

        return null;
    }

    private static bool Contains(IReadOnlyList<EndpointState> list, EndpointState endpoint)
    {
        for (var i = 0; i < list.Count; i++)
        {
            if (ReferenceEquals(list[i], endpoint))
                return true;
        }

        return false;
    }

    private static IBalancer Balancer(ClusterModel model, EndpointState[] usable, DateTimeOffset now, Random random, ref bool warming)
    {
        if (model.Hash is { } hash)
            return hash.IsMaglev ? new MaglevTable(usable, hash.MaglevTableSize) : new HashRing(usable, hash.MinimumRingSize);
        if (model.Policy == V1.LoadBalancer.Types.Policy.Random)
            return new RandomBalancer(usable);
        var weights = new double[usable.Length];
        for (var i = 0; i < usable.Length; i++)
        {
            var warm = Warmth(model, usable[i], now);
            warming |= warm < 1;
            weights[i] = usable[i].Weight * warm;
        }

        var source = new WeightSource(weights);
        return model.Policy == V1.LoadBalancer.Types.Policy.RoundRobin
            ? new RoundRobinBalancer(usable, source, random)
            : new LeastRequestBalancer(usable, source);
    }

    /// <summary>Minimum 10 %, then in proportion to the time since the endpoint joined (reference 2.2, aggression 1).</summary>
    private static double Warmth(ClusterModel model, EndpointState endpoint, DateTimeOffset now)
    {
        if (model.Warmup is not { } duration || duration <= TimeSpan.Zero)
            return 1;
        var since = now - endpoint.Since;
        return since >= duration ? 1 : Math.Max(0.1, Math.Max(since.TotalSeconds, 1) / duration.TotalSeconds);
    }
}

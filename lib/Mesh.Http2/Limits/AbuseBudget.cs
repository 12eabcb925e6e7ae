namespace Mesh.Http2.Limits;

/// <summary>A counter that only <see cref="Refill"/> gives back: what a peer may do for free between two ticks.</summary>
internal struct AbuseBudget(AbuseLimit limit)
{
    private readonly AbuseLimit _limit = limit;
    private int _left = limit.Burst;

    public readonly int Left => _left;

    /// <summary>False: the peer has used it up.</summary>
    public bool TrySpend() => --_left >= 0;

    public void Refill() => _left = (int)Math.Min(_limit.Burst, Math.Max(_left, 0) + (long)_limit.PerTick);
}

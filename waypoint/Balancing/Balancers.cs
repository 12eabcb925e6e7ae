namespace Mesh.Waypoint.Balancing;

/// <summary>Chooses among endpoints that are all usable. Built anew whenever that set changes; choosing allocates nothing.</summary>
internal interface IBalancer
{
    /// <param name="hash">Of the consistent-hash key; null where the request has none.</param>
    EndpointState Pick(ulong? hash, Random random);
}

/// <summary>
/// The default: of two endpoints drawn in proportion to their weights the one with fewer requests under way per weight; a tie keeps the first.
/// With equal weights that is Envoy's power of two choices, drawn with replacement (reference 2.2).
/// </summary>
internal sealed class LeastRequestBalancer(EndpointState[] endpoints, WeightSource weights) : IBalancer
{
    public EndpointState Pick(ulong? hash, Random random)
    {
        var first = weights.Draw(random);
        var second = weights.Draw(random);
        if (first == second)
            return endpoints[first];
        var loadOfFirst = endpoints[first].Active * weights[second];
        var loadOfSecond = endpoints[second].Active * weights[first];
        return endpoints[loadOfSecond < loadOfFirst ? second : first];
    }
}

/// <summary>Uniform; weights of endpoints do not count (reference 2.2).</summary>
internal sealed class RandomBalancer(EndpointState[] endpoints) : IBalancer
{
    public EndpointState Pick(ulong? hash, Random random) => endpoints[random.Next(endpoints.Length)];
}

/// <summary>In turn from a random start; with weights in the smooth order of nginx, so a heavy endpoint does not get its share in one burst.</summary>
internal sealed class RoundRobinBalancer : IBalancer
{
    // A schedule of this many turns resolves weights finely enough and stays small.
    private const int LongestSchedule = 4096;
    private readonly EndpointState[] _schedule;
    private uint _next;

    public RoundRobinBalancer(EndpointState[] endpoints, WeightSource weights, Random random)
    {
        _schedule = weights.AreEqual ? endpoints : Schedule(endpoints, weights);
        _next = (uint)random.Next(_schedule.Length);
    }

    public EndpointState Pick(ulong? hash, Random random) => _schedule[Interlocked.Increment(ref _next) % (uint)_schedule.Length];

    private static EndpointState[] Schedule(EndpointState[] endpoints, WeightSource weights)
    {
        var total = 0.0;
        for (var i = 0; i < endpoints.Length; i++)
            total += weights[i];
        var smallest = Enumerable.Range(0, endpoints.Length).Min(i => weights[i]);
        var turns = (int)Math.Clamp(Math.Round(total / smallest), endpoints.Length, LongestSchedule);
        var schedule = new EndpointState[turns];
        var current = new double[endpoints.Length];
        for (var turn = 0; turn < turns; turn++)
        {
            var best = 0;
            for (var i = 0; i < endpoints.Length; i++)
            {
                current[i] += weights[i];
                if (current[i] > current[best])
                    best = i;
            }

            current[best] -= total;
            schedule[turn] = endpoints[best];
        }

        return schedule;
    }
}

/// <summary>Effective weights of a set of endpoints and draws in proportion to them.</summary>
internal sealed class WeightSource
{
    private readonly double[] _weights;
    private readonly double[] _upTo;

    public WeightSource(IReadOnlyList<double> weights)
    {
        _weights = [.. weights];
        AreEqual = Array.TrueForAll(_weights, w => w == _weights[0]);
        _upTo = new double[_weights.Length];
        var sum = 0.0;
        for (var i = 0; i < _weights.Length; i++)
            _upTo[i] = sum += _weights[i];
    }

    public bool AreEqual { get; }

    public double this[int index] => _weights[index];

    public int Draw(Random random)
    {
        if (AreEqual)
            return random.Next(_weights.Length);
        var index = Array.BinarySearch(_upTo, random.NextDouble() * _upTo[^1]);
        return Math.Min(index < 0 ? ~index : index + 1, _weights.Length - 1);
    }
}

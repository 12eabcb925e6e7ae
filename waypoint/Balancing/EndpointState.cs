using System.Net;

namespace Mesh.Waypoint.Balancing;

/// <summary>What stays the same about an endpoint over configuration changes: its state is found again by this.</summary>
internal readonly record struct EndpointKey(string Cluster, string WorkloadUid, string Address, int Port)
{
    public override string ToString() => Address.Contains(':', StringComparison.Ordinal) ? $"[{Address}]:{Port}" : $"{Address}:{Port}";
}

/// <summary>One endpoint of one cluster. Long-lived and mutable where counters are; its description is replaced as a whole.</summary>
internal sealed class EndpointState
{
    private volatile V1.Endpoint _description;
    private int _active;
    private long _pushedBackUntil;

    public EndpointState(EndpointKey key, V1.Endpoint description, DateTimeOffset now)
    {
        Key = key;
        _description = description;
        Since = now;
        Text = key.ToString();
        Address = IPAddress.TryParse(key.Address, out var address) ? address : null;
    }

    public EndpointKey Key { get; }

    /// <summary><c>ip:port</c>, as logs show it.</summary>
    public string Text { get; }

    /// <summary>Null where the endpoint is known by name only.</summary>
    public IPAddress? Address { get; }

    public V1.Endpoint Description
    {
        get => _description;
        set => _description = value;
    }

    public OutlierCounters Outlier { get; } = new();

    /// <summary>Since when it takes part: what warm-up counts from.</summary>
    public DateTimeOffset Since { get; }

    /// <summary>Until when it asked to be left alone by a rate-limited answer; long past where it did not.</summary>
    public DateTimeOffset PushedBackUntil
    {
        get => new(Volatile.Read(ref _pushedBackUntil), TimeSpan.Zero);
        internal set => Volatile.Write(ref _pushedBackUntil, value.UtcTicks);
    }

    /// <summary>Requests under way.</summary>
    public int Active => Volatile.Read(ref _active);

    public int Weight => Description.Weight == 0 ? 1 : (int)Description.Weight;

    /// <summary>The pools to it go when it is gone.</summary>
    public Forwarding.UpstreamPools Pools { get; } = new();

    public void Enter() => Interlocked.Increment(ref _active);

    public void Leave() => Interlocked.Decrement(ref _active);

    public static EndpointKey KeyOf(string cluster, V1.Endpoint e)
    {
        var address = e.Address.Length is 4 or 16 ? new IPAddress(e.Address.Span) : null;
        if (address is { IsIPv4MappedToIPv6: true })
            address = address.MapToIPv4();
        if (address is null && e.Hostname.Length == 0)
            throw new ConfigurationException($"cluster {cluster}: endpoint {e.WorkloadUid} has neither an address nor a hostname");
        return new EndpointKey(cluster, e.WorkloadUid, address?.ToString() ?? e.Hostname, (int)e.Port);
    }
}

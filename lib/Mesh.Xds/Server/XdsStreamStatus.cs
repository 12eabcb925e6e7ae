using Envoy.Service.Discovery.V3;

namespace Mesh.Xds.Server;

/// <summary>What is known of one connected client; for status pages and syncz. Any thread.</summary>
public sealed class XdsStreamStatus
{
    private readonly Lock _gate = new();
    private readonly List<TypeRecord> _types = [];

    internal XdsStreamStatus(long id, XdsPeer peer, DateTimeOffset connected)
    {
        Id = id;
        Peer = peer;
        Connected = connected;
    }

    public long Id { get; }

    public XdsPeer Peer { get; }

    public DateTimeOffset Connected { get; }

    /// <summary>From the first request; null until then.</summary>
    public Node? Node { get; internal set; }

    /// <summary>By type URL, in the order of the first requests.</summary>
    public IReadOnlyList<XdsTypeStatus> Types
    {
        get
        {
            lock (_gate)
                return [.. _types.Select(t => t.ToStatus())];
        }
    }

    /// <summary>Something changed that the client has not been sent yet; with this false and every type's last push accepted, it has all there is.</summary>
    public bool HasPending => PendingSource?.Invoke() ?? false;

    internal Func<bool>? PendingSource { get; set; }

    internal void Requested(string typeUrl, bool wildcard, int names)
    {
        lock (_gate)
        {
            var type = Of(typeUrl);
            (type.Wildcard, type.SubscribedNames) = (wildcard, names);
        }
    }

    internal void Sent(in XdsPush push)
    {
        lock (_gate)
        {
            var type = Of(push.TypeUrl);
            type.LastPush = push;
            type.Pushes++;
        }
    }

    internal void Acknowledged(string typeUrl, string nonce)
    {
        lock (_gate)
            Of(typeUrl).LastAck = nonce;
    }

    internal void Rejected(XdsNack nack)
    {
        lock (_gate)
        {
            var type = Of(nack.TypeUrl);
            type.LastNack = nack;
            type.Nacks++;
        }
    }

    private TypeRecord Of(string typeUrl)
    {
        foreach (var known in _types)
        {
            if (known.TypeUrl == typeUrl)
                return known;
        }

        var type = new TypeRecord(typeUrl);
        _types.Add(type);
        return type;
    }

    /// <summary>Changed in place: a push happens thousands of times for each look at the status.</summary>
    private sealed class TypeRecord(string typeUrl)
    {
        public string TypeUrl { get; } = typeUrl;
        public bool Wildcard { get; set; }
        public int SubscribedNames { get; set; }
        public XdsPush? LastPush { get; set; }
        public long Pushes { get; set; }
        public string? LastAck { get; set; }
        public XdsNack? LastNack { get; set; }
        public long Nacks { get; set; }

        public XdsTypeStatus ToStatus() => new(TypeUrl)
        {
            Wildcard = Wildcard,
            SubscribedNames = SubscribedNames,
            LastPush = LastPush,
            Pushes = Pushes,
            LastAck = LastAck,
            LastNack = LastNack,
            Nacks = Nacks,
        };
    }
}

/// <summary>One type of one client.</summary>
public sealed record XdsTypeStatus(string TypeUrl)
{
    public bool Wildcard { get; init; }

    public int SubscribedNames { get; init; }

    public XdsPush? LastPush { get; init; }

    public long Pushes { get; init; }

    /// <summary>Nonce of the last accepted response.</summary>
    public string? LastAck { get; init; }

    public XdsNack? LastNack { get; init; }

    public long Nacks { get; init; }

    /// <summary>The client has accepted the last response that it was sent.</summary>
    public bool InSync => LastPush is { } push && LastAck == push.Nonce;
}

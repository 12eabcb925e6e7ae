using Envoy.Service.Discovery.V3;

namespace Mesh.Xds.Server;

/// <summary>What is known of one connected client; for status pages and syncz. Any thread.</summary>
public sealed class XdsStreamStatus
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, XdsTypeStatus> _types = new(StringComparer.Ordinal);

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
                return [.. _types.Values];
        }
    }

    /// <summary>Something changed that the client has not been sent yet; with this false and every type's last push accepted, it has all there is.</summary>
    public bool HasPending => PendingSource?.Invoke() ?? false;

    internal Func<bool>? PendingSource { get; set; }

    internal void Requested(string typeUrl, bool wildcard, int names) => Update(typeUrl, t => t with { Wildcard = wildcard, SubscribedNames = names });

    internal void Sent(XdsPush push) => Update(push.TypeUrl, t => t with { LastPush = push, Pushes = t.Pushes + 1 });

    internal void Acknowledged(string typeUrl, string nonce) => Update(typeUrl, t => t with { LastAck = nonce });

    internal void Rejected(XdsNack nack) => Update(nack.TypeUrl, t => t with { LastNack = nack, Nacks = t.Nacks + 1 });

    private void Update(string typeUrl, Func<XdsTypeStatus, XdsTypeStatus> change)
    {
        lock (_gate)
            _types[typeUrl] = change(_types.GetValueOrDefault(typeUrl) ?? new XdsTypeStatus(typeUrl));
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

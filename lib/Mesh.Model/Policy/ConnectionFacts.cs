using System.Net;

namespace Mesh.Model.Policy;

/// <summary>What is known of a connection when policy decides over it.</summary>
public readonly record struct ConnectionFacts
{
    public SourceIdentities SourceIdentities { get; init; }

    public required IPAddress SourceAddress { get; init; }

    public required IPAddress DestinationAddress { get; init; }

    /// <summary>The port of the application, after all mapping.</summary>
    public required ushort DestinationPort { get; init; }
}

/// <summary>
/// Who is calling: nobody that could be proven (plaintext), the peer of the tunnel, and, when that peer is the destination's own
/// waypoint and states it, also the client it speaks for. A positive condition holds for any of them, a negative one only if for none.
/// </summary>
public readonly record struct SourceIdentities
{
    private readonly SpiffeId _peer;
    private readonly SpiffeId _client;

    public SourceIdentities(SpiffeId peer)
    {
        _peer = peer;
        Count = 1;
    }

    public SourceIdentities(SpiffeId peer, SpiffeId statedClient)
    {
        _peer = peer;
        _client = statedClient;
        Count = 2;
    }

    public static SourceIdentities None => default;

    public int Count { get; }

    public SpiffeId this[int index] => (uint)index >= (uint)Count
        ? throw new ArgumentOutOfRangeException(nameof(index))
        : index == 0 ? _peer : _client;

    public static implicit operator SourceIdentities(SpiffeId peer) => new(peer);

    public override string ToString() => Count switch
    {
        0 => "no identity",
        1 => _peer.Principal,
        _ => $"{_peer.Principal} for {_client.Principal}",
    };
}

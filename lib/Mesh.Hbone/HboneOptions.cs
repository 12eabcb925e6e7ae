using Mesh.Http2;

namespace Mesh.Hbone;

/// <summary>Limits and times of tunnels. Defaults are the ones that the Rust ztunnel ships, where it has one.</summary>
public sealed record HboneOptions
{
    public Http2Options Client { get; init; } = Http2Options.ForClient;

    public Http2Options Server { get; init; } = Http2Options.ForServer;

    /// <summary>TCP connect to the peer's HBONE port.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>TLS handshake, both roles. The Rust ztunnel has none, so a silent peer holds its socket for ever.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>From CONNECT to its answer. Longer than a peer's own 10 s connect timeout plus its 5 s workload wait.</summary>
    public TimeSpan ResponseTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Silence after which a PING asks whether the peer is there.</summary>
    public TimeSpan PingAfterSilence { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>No answer to a PING for this long: the connection is dead.</summary>
    public TimeSpan PingTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Streams that one pooled connection carries at a time; beyond it another connection is opened.</summary>
    public int MaxStreamsPerConnection { get; init; } = 100;

    /// <summary>A pooled connection without streams is closed after this time.</summary>
    public TimeSpan UnusedTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Age at which an accepted connection is sent GOAWAY, up to a tenth of it earlier at random; its streams finish. Zero: never.</summary>
    public TimeSpan MaxConnectionAge { get; init; }

    /// <summary>A stream that waits this long for a peer's low stream limit gets a connection of its own.</summary>
    public TimeSpan StreamLimitPatience { get; init; } = TimeSpan.FromSeconds(5);
}

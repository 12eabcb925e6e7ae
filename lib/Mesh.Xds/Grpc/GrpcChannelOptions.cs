namespace Mesh.Xds.Grpc;

/// <summary>How to reach and trust one control plane.</summary>
public sealed record GrpcChannelOptions
{
    /// <summary>https, or http for HTTP/2 without TLS (tests and loopback only: credentials would travel in clear).</summary>
    public required Uri Address { get; init; }

    public GrpcServerTrust Trust { get; init; } = GrpcServerTrust.System;

    /// <summary>A second name that the server's certificate may be for (ALT_XDS_HOSTNAME, ALT_CA_HOSTNAME).</summary>
    public string? AlternativeHostName { get; init; }

    /// <summary>Asked for each call: tokens are rotated under us.</summary>
    public IGrpcCredentials? Credentials { get; init; }

    /// <summary>TLS 1.3 only unless set (TLS12_ENABLED).</summary>
    public bool AllowTls12 { get; init; }

    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>HTTP/2 PING while a call is open; an unanswered one ends the connection after <see cref="PingTimeout"/>.</summary>
    public TimeSpan PingInterval { get; init; } = TimeSpan.FromSeconds(30);

    public TimeSpan PingTimeout { get; init; } = TimeSpan.FromSeconds(10);

    public int MaxReceiveMessageSize { get; init; } = GrpcFrameDecoder.DefaultMaxMessageSize;

    public TimeProvider Time { get; init; } = TimeProvider.System;
}

/// <summary>Per call: extra metadata and how long the call may take.</summary>
public sealed record GrpcCallOptions
{
    public static readonly GrpcCallOptions Default = new();

    public GrpcMetadata Metadata { get; init; } = GrpcMetadata.Empty;

    /// <summary>Sent as grpc-timeout and enforced here as well. Null: none.</summary>
    public TimeSpan? Timeout { get; init; }
}

/// <summary>Supplies the metadata that authenticates a call.</summary>
public interface IGrpcCredentials
{
    ValueTask<GrpcMetadata> GetMetadataAsync(CancellationToken cancellation);
}

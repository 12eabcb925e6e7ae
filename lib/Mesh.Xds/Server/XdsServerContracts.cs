using Envoy.Service.Discovery.V3;
using Mesh.Xds.Grpc;

namespace Mesh.Xds.Server;

/// <summary>Who is at the other end, as the owner's authentication found out.</summary>
/// <param name="Name">For logs and status pages, e.g. a SPIFFE id.</param>
/// <param name="Principal">The owner's own object; handed back to <see cref="DeltaXdsServerOptions.AcceptNode"/>.</param>
public sealed record XdsPeer(string Name, object? Principal = null);

/// <summary>What the owner decides about streams.</summary>
public sealed record DeltaXdsServerOptions
{
    /// <summary>Before anything is read. Throws <see cref="GrpcException"/> (Unauthenticated, Unavailable while not synced) to refuse. Null: everybody is welcome.</summary>
    public Func<GrpcServerCall, ValueTask<XdsPeer>>? Authenticate { get; init; }

    /// <summary>On the first request of a stream, with its node. Throws (PermissionDenied, InvalidArgument) to refuse.</summary>
    public Action<XdsPeer, Node>? AcceptNode { get; init; }

    /// <summary>Asked when a stream first asks for a type: what may it be sent? Null, or an answer of null: everything.</summary>
    public Func<XdsPeer, IXdsAudience?>? AudienceOf { get; init; }

    /// <summary>Hears every NACK.</summary>
    public Action<XdsStreamStatus, XdsNack>? Rejected { get; init; }

    /// <summary>Hears every response when the transport has taken it.</summary>
    public Action<XdsStreamStatus, XdsPush>? Pushed { get; init; }

    /// <summary>A response that the client does not take within this time ends its stream; it comes back with what it has.</summary>
    public TimeSpan SendTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Streams that are given a whole table at the same time; the others wait in the order in which they came. Bounds the memory of a restart, when every client comes at once.
    /// </summary>
    public int SimultaneousFullResponses { get; init; } = 16;

    /// <summary>A client that takes longer for its whole table gives its place to the next; it goes on all the same.</summary>
    public TimeSpan FullResponsePatience { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Names that may wait for one on-demand stream beyond the size of the table (names that came and went while it did not read).</summary>
    public int MaximumPendingNames { get; init; } = 50_000;

    /// <summary>Responses above this are split. Clients take 200 MiB.</summary>
    public int LargestResponse { get; init; } = 128 * 1024 * 1024;

    public TimeProvider Time { get; init; } = TimeProvider.System;
}

/// <summary>A refusal by a client: the last state it accepted stays in force there.</summary>
public sealed record XdsNack(string TypeUrl, string Nonce, string Message, DateTimeOffset At);

/// <summary>One response that was sent.</summary>
/// <param name="TypeUrl">Of its resources.</param>
/// <param name="Nonce">What the client answers it with.</param>
/// <param name="Resources">New and changed ones.</param>
/// <param name="Removed">Names.</param>
/// <param name="Bytes">Of the message.</param>
/// <param name="At">When the transport had taken it.</param>
/// <param name="Since">When the oldest change in it was noticed, as the owner said; 0: a client asked for it, or nothing is known.</param>
public readonly record struct XdsPush(string TypeUrl, string Nonce, int Resources, int Removed, long Bytes, DateTimeOffset At, long Since);

/// <summary>The server's end of one stream, below which is gRPC or a test.</summary>
public interface IXdsServerStream
{
    CancellationToken Cancellation { get; }

    /// <summary>Null: the client will ask for nothing more.</summary>
    ValueTask<DeltaDiscoveryRequest?> ReadAsync();

    /// <summary>Returns when the transport has taken the response.</summary>
    ValueTask WriteAsync(XdsResponse response);

    /// <summary>Ends the stream although a write is still waiting.</summary>
    void Abort();
}

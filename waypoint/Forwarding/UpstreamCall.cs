using System.Buffers;
using System.IO.Pipelines;
using Mesh.Net;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Http1;

namespace Mesh.Waypoint.Forwarding;

/// <summary>What one try needs to know.</summary>
internal sealed record UpstreamCallContext
{
    public required EndpointState Endpoint { get; init; }

    public required ClusterState Cluster { get; init; }

    public required ClusterModel Model { get; init; }

    public required UpstreamRequest Request { get; init; }

    /// <summary>Null: the request has none.</summary>
    public required ReplayableBody? Body { get; init; }

    public required DialContext Dial { get; init; }

    /// <summary>Where the client's connection lives; null: on no loop.</summary>
    public EventLoop? Loop { get; init; }

    /// <summary>What is left for this try; the application is told.</summary>
    public TimeSpan? ExpectedTimeout { get; init; }

    /// <summary>What only a mirrored request says.</summary>
    public IReadOnlyList<(string Name, string Value)> MirrorHeaders { get; init; } = [];

    /// <summary>Where 100 and 103 go; null: nowhere.</summary>
    public InterimRelay? Interim { get; init; }
}

/// <summary>One try on the wire: from asking for a connection to the last byte of the response. Disposing ends it, complete or not.</summary>
internal abstract class UpstreamCall : IAsyncDisposable
{
    public abstract int Status { get; }

    public abstract string Reason { get; }

    public abstract FieldList Fields { get; }

    /// <summary>Complete after the body.</summary>
    public abstract FieldList Trailers { get; }

    /// <summary>Returns when the head of the final response is there.</summary>
    /// <exception cref="IOException">It did not come; <see cref="AttemptFailure.Classify"/> tells what that means.</exception>
    /// <param name="patience">Ends the wait for the head.</param>
    /// <param name="whole">Ends everything, the body included.</param>
    public abstract Task SendAsync(CancellationToken patience, CancellationToken whole);

    /// <summary>The next piece of the body, valid until the next call; empty: complete.</summary>
    public abstract ValueTask<ReadOnlySequence<byte>> ReadBodyAsync();

    /// <summary>After 101: the connection as bytes.</summary>
    public virtual (PipeReader Input, PipeWriter Output) TakeStreams() => throw new IOException("the application switched protocols on a protocol that has no upgrade");

    public abstract ValueTask DisposeAsync();

    /// <summary>The gRPC status in the headers of an answer without body; null where there is none.</summary>
    public int? GrpcStatusInHeaders() =>
        Fields.Find("grpc-status") is { } text && int.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var status) ? status : null;
}

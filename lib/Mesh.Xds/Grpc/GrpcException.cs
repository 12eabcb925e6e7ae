namespace Mesh.Xds.Grpc;

/// <summary>Where in its life a call failed; the xDS client chooses its retry delay by it.</summary>
public enum GrpcFailurePhase
{
    /// <summary>Before response headers: connecting, TLS, refused credentials, a trailers-only answer.</summary>
    Opening,

    /// <summary>The call was established and the peer ended it with a status.</summary>
    Status,

    /// <summary>The call was established and the connection or stream was lost without a status.</summary>
    Transport,
}

/// <summary>A call that did not end with OK. On the server a handler throws it to choose the status that the client sees.</summary>
public sealed class GrpcException : Exception
{
    public GrpcException(GrpcStatus status, GrpcFailurePhase phase = GrpcFailurePhase.Status, Exception? inner = null)
        : base(status.ToString(), inner)
    {
        Status = status;
        Phase = phase;
    }

    public GrpcException(GrpcStatusCode code, string detail)
        : this(new GrpcStatus(code, detail))
    {
    }

    public GrpcStatus Status { get; }

    public GrpcFailurePhase Phase { get; }

    /// <summary>Trailing metadata that came with the status; empty when there was none.</summary>
    public GrpcMetadata Trailers { get; init; } = GrpcMetadata.Empty;
}

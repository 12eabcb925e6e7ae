using Mesh.Xds.Grpc;

namespace Mesh.Xds.Client;

/// <summary>Why a stream ended; the names are the values of <c>istio_xds_connection_terminations</c>' label <c>reason</c>.</summary>
public enum XdsTermination
{
    /// <summary>The stream could not be opened.</summary>
    ConnectionError,

    /// <summary>The server ended it with a status that asks for patience, or something is wrong on our side.</summary>
    Error,

    /// <summary>The connection was lost or the server restarts: expected in normal operation.</summary>
    Reconnect,

    /// <summary>The server ended it with OK.</summary>
    Complete,
}

/// <summary>Classifies the end of a stream.</summary>
public static class XdsTerminations
{
    public static XdsTermination Classify(Exception? end) => end switch
    {
        null => XdsTermination.Complete,
        GrpcException { Phase: GrpcFailurePhase.Opening } => XdsTermination.ConnectionError,
        GrpcException { Phase: GrpcFailurePhase.Transport } => XdsTermination.Reconnect,
        GrpcException { Status.Code: GrpcStatusCode.Unknown or GrpcStatusCode.Cancelled or GrpcStatusCode.DeadlineExceeded } => XdsTermination.Reconnect,
        GrpcException { Status: { Code: GrpcStatusCode.Unavailable } status } when SaysRestart(status.Detail) => XdsTermination.Reconnect,
        _ => XdsTermination.Error,
    };

    // How a server written in Go words its own shutdown and its maximum connection age.
    private static bool SaysRestart(string detail) =>
        detail.Contains("transport is closing", StringComparison.Ordinal) || detail.Contains("received prior goaway", StringComparison.Ordinal);
}

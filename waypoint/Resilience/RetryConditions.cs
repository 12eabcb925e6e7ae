namespace Mesh.Waypoint.Resilience;

/// <summary>Envoy's <c>retry_on</c> vocabulary.</summary>
[Flags]
internal enum RetryConditions
{
    None = 0,
    ServerError = 1 << 0,
    GatewayError = 1 << 1,
    Reset = 1 << 2,
    ResetBeforeRequest = 1 << 3,
    ConnectFailure = 1 << 4,
    RefusedStream = 1 << 5,
    Retriable4xx = 1 << 6,
    RetriableStatusCodes = 1 << 7,
    EnvoyRatelimited = 1 << 8,
    GrpcCancelled = 1 << 9,
    GrpcDeadlineExceeded = 1 << 10,
    GrpcInternal = 1 << 11,
    GrpcResourceExhausted = 1 << 12,
    GrpcUnavailable = 1 << 13,
}

/// <summary>How one try ended, as far as a retry depends on it.</summary>
internal enum AttemptEnding
{
    /// <summary>Response headers arrived.</summary>
    Response,

    /// <summary>No connection: refused, unreachable, TLS failed, CONNECT answered with an error or its tunnel broke. Nothing reached the application.</summary>
    ConnectFailure,

    /// <summary>The same, by time.</summary>
    ConnectTimeout,

    /// <summary>HTTP/2 REFUSED_STREAM: the application says that it did not look at the request.</summary>
    RefusedStream,

    /// <summary>The connection ended before response headers.</summary>
    ConnectionTermination,

    /// <summary>The stream was reset before response headers.</summary>
    RemoteReset,

    /// <summary>What came back is not HTTP.</summary>
    ProtocolError,

    PerTryTimeout,

    /// <summary>A limit of the cluster: never retried.</summary>
    Overflow,
}

/// <summary>The facts of one try that the retry policy decides on.</summary>
internal readonly record struct AttemptOutcome(
    AttemptEnding Ending,
    int Status = 0,
    int? GrpcStatusInHeaders = null,
    bool IsRateLimited = false,
    bool RequestWasStarted = true);

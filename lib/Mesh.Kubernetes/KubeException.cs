namespace Mesh.Kubernetes;

/// <summary>Why the API did not do what it was asked for. Branch on this, never on messages: their text changes between releases.</summary>
public enum KubeFailure
{
    /// <summary>No answer: refused, reset, TLS, name resolution, time-out.</summary>
    Unreachable,
    /// <summary>401: the token is not (or no longer) good.</summary>
    Unauthorized,
    /// <summary>403: RBAC, or no token at all. May be temporary while RBAC settles.</summary>
    Forbidden,
    /// <summary>404 with a Status: the object does not exist.</summary>
    NotFound,
    /// <summary>404 without a Status: the API is not served. Says nothing about objects.</summary>
    NotServed,
    AlreadyExists,
    /// <summary>409: stale resourceVersion or uid, or a field that another manager owns.</summary>
    Conflict,
    /// <summary>410: the resourceVersion or the continue token is too old; list again.</summary>
    Expired,
    /// <summary>422: refused by schema or CEL; the causes say which fields.</summary>
    Invalid,
    /// <summary>400, 405, 406, 413, 415: a mistake of the caller, or a denial by a webhook.</summary>
    BadRequest,
    /// <summary>429.</summary>
    Throttled,
    /// <summary>5xx.</summary>
    ServerError,
    /// <summary>The answer is not what it claims to be.</summary>
    Malformed,
}

/// <summary>One field the API objects to.</summary>
public sealed record FailureCause(string Reason, string Field, string Message);

/// <summary>A request that failed. The message names method, path and what the server said; nothing of credentials is in it.</summary>
public sealed class KubeException(KubeFailure failure, string message, Exception? inner = null) : Exception(message, inner)
{
    public KubeFailure Failure { get; } = failure;

    /// <summary>Null where there was no answer.</summary>
    public int? StatusCode { get; init; }

    /// <summary>The server's own wish.</summary>
    public TimeSpan? RetryAfter { get; init; }

    public IReadOnlyList<FailureCause> Causes { get; init; } = [];

    /// <summary>Whether the same request may succeed later without anybody changing it.</summary>
    public bool IsTransient => Failure is KubeFailure.Unreachable or KubeFailure.Throttled or KubeFailure.ServerError or KubeFailure.Malformed or KubeFailure.Unauthorized or KubeFailure.Forbidden;
}

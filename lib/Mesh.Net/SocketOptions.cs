using System.Net;

namespace Mesh.Net;

/// <summary>
/// TCP keep-alive: first probe after <paramref name="Time"/> of silence, then every <paramref name="Interval"/>, dead after <paramref name="Retries"/> unanswered ones.
/// </summary>
public readonly record struct KeepAliveOptions(TimeSpan Time, TimeSpan Interval, int Retries)
{
    /// <summary>How long unacknowledged data may be outstanding when these settings are used as user timeout too: time + retries x interval.</summary>
    public TimeSpan UserTimeout => Time + (Interval * Retries);
}

/// <summary>How to listen.</summary>
public sealed record ListenOptions
{
    /// <summary>Address and port (0: any free one). The IPv6 wildcard takes IPv4 too unless <see cref="IPv6Only"/>.</summary>
    public required IPEndPoint EndPoint { get; init; }

    /// <summary>SO_REUSEPORT: several loops, or an old and a new process, share the port.</summary>
    public bool ReusePort { get; init; }

    /// <summary>IP_TRANSPARENT: accept connections to addresses that are not local (TPROXY) and allow source spoofing.</summary>
    public bool Transparent { get; init; }

    /// <summary>SO_MARK of the listener and, inherited, of every accepted socket; 0 for none.</summary>
    public uint Mark { get; init; }

    /// <summary>Connections the kernel completes ahead of us. 128 is what the in-pod mode of ztunnel uses; a busy node wants more.</summary>
    public int Backlog { get; init; } = 1024;

    /// <summary>Where the socket is made; null: where the loop's thread lives.</summary>
    public NetworkNamespace? NetworkNamespace { get; init; }

    /// <summary>An IPv6 socket that refuses IPv4.</summary>
    public bool IPv6Only { get; init; }

    /// <summary>Keep-alive of every accepted socket. TCP_NODELAY is always on.</summary>
    public KeepAliveOptions? KeepAlive { get; init; }

    /// <summary>TCP_USER_TIMEOUT of every accepted socket.</summary>
    public TimeSpan? UserTimeout { get; init; }
}

/// <summary>How to connect.</summary>
public readonly record struct ConnectOptions
{
    /// <summary>The far end.</summary>
    public required IPEndPoint Remote { get; init; }

    /// <summary>Deadline for the handshake of TCP. 10 s is what ztunnel gives it.</summary>
    public TimeSpan Timeout { get; init; }

    /// <summary>SO_MARK, 0 for none.</summary>
    public uint Mark { get; init; }

    /// <summary>Where the socket is made; null: where the loop's thread lives.</summary>
    public NetworkNamespace? NetworkNamespace { get; init; }

    /// <summary>
    /// Connect from this address although it is not ours (IP_TRANSPARENT). Where that is impossible the connection is made from our own address and
    /// <see cref="ConnectResult.SourceFailure"/> says why.
    /// </summary>
    public IPAddress? TransparentSource { get; init; }

    /// <summary>Connect from this local address.</summary>
    public IPAddress? BindAddress { get; init; }

    /// <summary>TCP keep-alive of the new socket.</summary>
    public KeepAliveOptions? KeepAlive { get; init; }

    /// <summary>TCP_USER_TIMEOUT of the new socket.</summary>
    public TimeSpan? UserTimeout { get; init; }
}

/// <summary>Why a connection was not made.</summary>
public enum ConnectFailure
{
    /// <summary>It was made.</summary>
    None,

    /// <summary>The far end answered with RST: nothing listens there.</summary>
    Refused,

    /// <summary>No answer before the deadline (ours or the kernel's).</summary>
    TimedOut,

    /// <summary>No route, or a router said so.</summary>
    Unreachable,

    /// <summary>Anything else, e.g. no descriptor or no local port left.</summary>
    Other,
}

/// <summary>Outcome of a connection attempt: a socket that the caller owns, or a reason.</summary>
/// <param name="Socket">The connected socket, or null.</param>
/// <param name="Failure">Why not.</param>
/// <param name="ErrorCode">The <c>errno</c>, 0 for our own deadline.</param>
/// <param name="Detail">For people.</param>
/// <param name="SourceFailure">Set when the wanted source address could not be kept.</param>
public readonly record struct ConnectResult(LoopSocket? Socket, ConnectFailure Failure, int ErrorCode, string? Detail, string? SourceFailure);

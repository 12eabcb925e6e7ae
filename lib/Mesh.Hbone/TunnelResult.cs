using System.Diagnostics.CodeAnalysis;
using Mesh.Http2;
using Mesh.Model;

namespace Mesh.Hbone;

/// <summary>What became of a CONNECT: a tunnel, or one ending of the closed set with the text for people.</summary>
public readonly struct TunnelResult
{
    private TunnelResult(Tunnel? tunnel, Ending ending, string error, int? status, HeaderList? headers, HboneClientConnection? connection, bool reused, bool dialFailed = false, bool refused = false)
    {
        Refused = refused;
        Connection = connection;
        DialFailed = dialFailed;
        Tunnel = tunnel;
        Ending = ending;
        Error = error;
        Status = status;
        Headers = headers;
        Reused = reused;
    }

    public Tunnel? Tunnel { get; }

    public Ending Ending { get; }

    /// <summary>For the operator; empty with a tunnel.</summary>
    public string Error { get; }

    /// <summary>The peer's answer where there was one.</summary>
    public int? Status { get; }

    /// <summary>The peer's headers where there was an answer.</summary>
    public HeaderList? Headers { get; }

    /// <summary>True if there was no connection on which a CONNECT could have been sent.</summary>
    public bool DialFailed { get; }

    /// <summary>The connection on which the CONNECT went out; null where there was none.</summary>
    public HboneClientConnection? Connection { get; }

    /// <summary>True if the CONNECT went over a connection that stood already.</summary>
    public bool Reused { get; }

    /// <summary>True if the peer says that it has not looked at the CONNECT (REFUSED_STREAM; RFC 9113, 8.7): it may be sent again.</summary>
    internal bool Refused { get; }

    [MemberNotNullWhen(true, nameof(Tunnel))]
    public bool IsOpen => Tunnel is not null;

    internal static TunnelResult Open(Tunnel tunnel, bool reused) => new(tunnel, Ending.Ok, string.Empty, 200, tunnel.Headers, tunnel.Connection as HboneClientConnection, reused);

    internal static TunnelResult Failed(HboneClientConnection connection, Ending ending, string error, bool reused, int? status = null, HeaderList? headers = null, bool refused = false) =>
        new(null, ending, error, status, headers, connection, reused, refused: refused);

    internal static TunnelResult NotDialled(Ending ending, string error) => new(null, ending, error, null, null, null, false, dialFailed: true);
}

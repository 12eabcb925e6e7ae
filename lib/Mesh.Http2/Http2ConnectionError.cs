namespace Mesh.Http2;

/// <summary>Who caused the end of a connection, so that nobody has to parse text to learn it.</summary>
public enum Http2Initiator
{
    /// <summary>The peer broke a rule or exceeded a limit.</summary>
    Peer,

    /// <summary>The owner asked for it (<see cref="Http2Connection.GoAway"/> with an error).</summary>
    Owner,
}

/// <summary>Why the whole connection ended. <paramref name="Reason"/> also travels as the GOAWAY's debug data.</summary>
public sealed record Http2ConnectionError(Http2ErrorCode Code, Http2Initiator Initiator, string Reason)
{
    public override string ToString() => $"{Code}: {Reason}";
}

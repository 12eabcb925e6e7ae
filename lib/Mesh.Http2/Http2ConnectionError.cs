namespace Mesh.Http2;

/// <summary>What the peer did to end the whole connection. <paramref name="Reason"/> also travels as the GOAWAY's debug data.</summary>
public sealed record Http2ConnectionError(Http2ErrorCode Code, string Reason)
{
    public override string ToString() => $"{Code}: {Reason}";
}

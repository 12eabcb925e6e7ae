using Mesh.Http2;

namespace Mesh.Hbone;

/// <summary>The stream or its connection ended before its data did.</summary>
public sealed class TunnelResetException(Http2ErrorCode? code, bool byPeer)
    : IOException(code is null ? "the tunnel's connection was lost" : $"the tunnel was reset {(byPeer ? "by the peer" : "here")}: {code}")
{
    public Http2ErrorCode? Code { get; } = code;

    public bool ByPeer { get; } = byPeer;
}

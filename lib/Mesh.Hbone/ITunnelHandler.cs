using Mesh.Http2;

namespace Mesh.Hbone;

/// <summary>What the owner of a <see cref="Tunnel"/> hears, on the tunnel's loop.</summary>
public interface ITunnelHandler
{
    /// <summary>Bytes from the peer, lent for the duration of the call. <see cref="Tunnel.Consume"/> gives their credit back.</summary>
    void OnData(ReadOnlySpan<byte> data);

    /// <summary>The peer has sent all it will send.</summary>
    void OnEndOfData();

    /// <summary>An earlier write was short; there is room again.</summary>
    void OnWritable();

    /// <summary>The stream or its connection is gone before both directions ended. Nothing is called afterwards.</summary>
    /// <param name="code">The peer's or our code; null when the connection broke.</param>
    void OnReset(Http2ErrorCode? code, bool byPeer);
}

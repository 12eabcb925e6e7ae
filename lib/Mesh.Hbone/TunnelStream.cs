using Mesh.Net;

namespace Mesh.Hbone;

/// <summary>A tunnel as a <see cref="Stream"/>; callable from any thread.</summary>
public sealed class TunnelStream(TunnelPipe pipe) : LoopPipeStream(pipe)
{
    /// <summary>The same tunnel without the copy that a stream's read costs; use one or the other.</summary>
    public new TunnelPipe Pipe => pipe;
}

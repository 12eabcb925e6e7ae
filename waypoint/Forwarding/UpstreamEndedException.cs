namespace Mesh.Waypoint.Forwarding;

/// <summary>The connection ended before a byte of the response had come.</summary>
/// <param name="throughTunnel">Through HBONE: then the end may mean the instance behind the far proxy is gone.</param>
internal sealed class UpstreamEndedException(bool throughTunnel, Exception? inner)
    : IOException("the connection ended before the first byte of the response", inner)
{
    public bool ThroughTunnel { get; } = throughTunnel;
}

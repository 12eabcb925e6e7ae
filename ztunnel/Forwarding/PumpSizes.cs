namespace Mesh.Ztunnel.Forwarding;

/// <summary>How much room a read asks for. The room is lent by the tunnel's output, not owned by the connection, so it costs nothing while idle.</summary>
internal static class PumpSizes
{
    /// <summary>One TLS record: enough for nearly every request, and many streams still share one output buffer.</summary>
    private const int Ordinary = 16 * 1024;

    /// <summary>Bulk earns long frames: fewer headers and system calls (the size and the threshold's order of the Rust ztunnel).</summary>
    private const int Bulk = 256 * 1024;
    private const long BulkAfter = 1024 * 1024;

    /// <param name="moved">Bytes this direction has moved so far.</param>
    public static int Next(long moved) => moved < BulkAfter ? Ordinary : Bulk;
}

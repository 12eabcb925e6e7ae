using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Transport;

/// <summary>One byte stream from a client, with what its tunnel proved and said. A feature of the Kestrel connection that serves it.</summary>
internal sealed class InboundConnection(Stream stream, OriginalDestination original, Caller caller, string? traceParent)
{
    public Stream Stream { get; } = stream;

    /// <summary>What the CONNECT named.</summary>
    public OriginalDestination Original { get; } = original;

    public Caller Caller { get; } = caller;

    /// <summary>Of the CONNECT: the trace that this connection belongs to.</summary>
    public string? TraceParent { get; } = traceParent;
}

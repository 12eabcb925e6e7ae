using System.IO.Pipelines;
using Mesh.Net;
using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Transport;

/// <summary>One byte stream from a client, with what its tunnel proved and said. A feature of the Kestrel connection that serves it.</summary>
internal abstract class InboundConnection(OriginalDestination original, Caller caller, string? traceParent) : IAsyncDisposable
{
    /// <summary>Where it lives and is best served; null: on no loop.</summary>
    public virtual EventLoop? Loop => null;

    public abstract PipeReader Input { get; }

    public abstract PipeWriter Output { get; }

    /// <summary>Completes when the client has ended its direction, even while nobody reads.</summary>
    public abstract Task PeerEnded { get; }

    /// <summary>What the CONNECT named.</summary>
    public OriginalDestination Original { get; } = original;

    /// <summary><c>ip:port</c> of <see cref="Original"/>, as logs show it.</summary>
    public string OriginalText => field ??= Original.ToString();

    public Caller Caller { get; } = caller;

    /// <summary>Of the CONNECT: the trace that this connection belongs to.</summary>
    public string? TraceParent { get; } = traceParent;

    /// <summary>A response on HTTP/1.1 ends before its time: what was written of it arrives, then the end, which tells that it is not complete.</summary>
    public bool IsCut { get; set; }

    /// <summary>Nothing more follows to the client; it may still send.</summary>
    public abstract ValueTask EndWritingAsync();

    /// <summary>Ends both directions at once; what is on its way is lost. Any thread.</summary>
    public abstract void Abort();

    /// <summary>Ends in order: what was written arrives.</summary>
    public abstract ValueTask DisposeAsync();
}

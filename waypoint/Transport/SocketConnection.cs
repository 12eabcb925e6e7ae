using System.IO.Pipelines;
using Mesh.Net;
using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Transport;

/// <summary>A connection that came as plain TCP, without a tunnel around it.</summary>
internal sealed class SocketConnection(SocketPipe pipe, OriginalDestination original, Caller caller) : InboundConnection(original, caller, null)
{
    public override EventLoop? Loop => pipe.Loop;

    public override PipeReader Input => pipe.Input;

    public override PipeWriter Output => pipe.Output;

    public override Task PeerEnded => pipe.PeerEnded;

    public override ValueTask EndWritingAsync() => pipe.Output.CompleteAsync();

    public override void Abort() => pipe.Abort();

    public override ValueTask DisposeAsync()
    {
        pipe.CloseInOrder();
        return ValueTask.CompletedTask;
    }
}

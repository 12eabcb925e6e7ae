using System.IO.Pipelines;
using Mesh.Hbone;
using Mesh.Net;
using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Transport;

/// <summary>A connection that came through an HBONE tunnel.</summary>
internal sealed class TunnelConnection(TunnelPipe pipe, OriginalDestination original, Caller caller, string? traceParent, TimeProvider time)
    : InboundConnection(original, caller, traceParent)
{
    /// <summary>Envoy's delayed_close_timeout: how long a client may take to see the end and to end itself.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(1);

    public override EventLoop? Loop => pipe.Loop;

    public override PipeReader Input => pipe.Input;

    public override PipeWriter Output => pipe.Output;

    public override Task PeerEnded => pipe.PeerEnded;

    public override ValueTask EndWritingAsync() => pipe.Output.CompleteAsync();

    public override void Abort() => pipe.Abort();

    public override async ValueTask DisposeAsync()
    {
        await pipe.Output.CompleteAsync();
        using var patience = new CancellationTokenSource(Linger, time);
        try
        {
            while (!pipe.Closed.IsCompleted)
            {
                // What the client still sends is nobody's any more.
                var read = await pipe.Input.ReadAsync(patience.Token);
                pipe.Input.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                {
                    await pipe.Closed.WaitAsync(patience.Token);
                    break;
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or InvalidOperationException)
        {
            // It took too long, was reset, or Kestrel had completed the reader already: closing cuts what is left.
        }

        pipe.Close();
    }
}

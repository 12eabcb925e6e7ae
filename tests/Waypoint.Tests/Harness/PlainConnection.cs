using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Transport;

namespace Mesh.Waypoint.Tests.Harness;

/// <summary>A plain socket in the place of a tunnel: the pipeline does not see the difference.</summary>
internal sealed class PlainConnection : InboundConnection
{
    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private readonly Pipe _input = new(new PipeOptions(useSynchronizationContext: false));
    private readonly TaskCompletionSource _peerEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public PlainConnection(Socket socket, OriginalDestination original, Caller caller)
        : base(original, caller, null)
    {
        _socket = socket;
        _stream = new NetworkStream(socket, ownsSocket: true);
        Output = PipeWriter.Create(_stream, new StreamPipeWriterOptions(leaveOpen: true));
        _ = ReceiveAsync();
    }

    public override PipeReader Input => _input.Reader;

    public override PipeWriter Output { get; }

    public override Task PeerEnded => _peerEnded.Task;

    public override ValueTask EndWritingAsync()
    {
        _socket.Shutdown(SocketShutdown.Send);
        return ValueTask.CompletedTask;
    }

    public override void Abort()
    {
        _stream.Dispose();
    }

    public override async ValueTask DisposeAsync() => await _stream.DisposeAsync();

    private async Task ReceiveAsync()
    {
        Exception? failure = null;
        try
        {
            while (await _stream.ReadAsync(_input.Writer.GetMemory(4096)) is > 0 and var count)
            {
                _input.Writer.Advance(count);
                if ((await _input.Writer.FlushAsync()).IsCompleted)
                    break;
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            failure = e as IOException ?? new IOException("closed", e);
        }

        await _input.Writer.CompleteAsync(failure);
        _peerEnded.TrySetResult();
    }
}

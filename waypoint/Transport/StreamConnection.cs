using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Mesh.Waypoint.Transport;

/// <summary>A tunnel's stream as a Kestrel connection. The identity of the client travels in its features, not in any header.</summary>
internal sealed class StreamConnection : ConnectionContext, IDuplexPipe
{
    private readonly InboundConnection _inbound;
    private readonly CancellationTokenSource _closed = new();
    private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public StreamConnection(InboundConnection inbound, PipeReader input)
    {
        _inbound = inbound;
        Input = input;
        Output = PipeWriter.Create(inbound.Stream, new StreamPipeWriterOptions(leaveOpen: true));
        ConnectionClosed = _closed.Token;
        Features.Set(inbound);
        RemoteEndPoint = inbound.Caller.Address;
        LocalEndPoint = new IPEndPoint(inbound.Original.Address, inbound.Original.Port);
    }

    public override string ConnectionId { get; set; } = Guid.NewGuid().ToString("N");

    public override IFeatureCollection Features { get; } = new FeatureCollection();

    public override IDictionary<object, object?> Items { get; set; } = new ConnectionItems();

    public override IDuplexPipe Transport
    {
        get => this;
        set => throw new NotSupportedException("the transport of a tunnel cannot be replaced");
    }

    public PipeReader Input { get; }

    public PipeWriter Output { get; }

    public override CancellationToken ConnectionClosed { get; set; }

    public override EndPoint? RemoteEndPoint { get; set; }

    public override EndPoint? LocalEndPoint { get; set; }

    /// <summary>Completes when Kestrel is done with the connection.</summary>
    public Task Done => _disposed.Task;

    public override void Abort(ConnectionAbortedException abortReason)
    {
        // Kestrel's pending read and write end with the stream.
        Input.CancelPendingRead();
        Output.CancelPendingFlush();
        _inbound.Stream.Dispose();
        _closed.Cancel();
    }

    public override async ValueTask DisposeAsync()
    {
        await Input.CompleteAsync();
        await Output.CompleteAsync();
        await _inbound.Stream.DisposeAsync();
        await _closed.CancelAsync();
        _closed.Dispose();
        _disposed.TrySetResult();
    }
}

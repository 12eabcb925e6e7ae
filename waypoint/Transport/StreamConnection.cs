using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Mesh.Waypoint.Transport;

/// <summary>A client's byte stream as a Kestrel connection. The identity of the client travels in its features, not in any header.</summary>
internal sealed class StreamConnection : ConnectionContext, IDuplexPipe
{
    private readonly InboundConnection _inbound;
    private readonly CancellationTokenSource _closed = new();
    private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public StreamConnection(InboundConnection inbound)
    {
        _inbound = inbound;
        ConnectionClosed = _closed.Token;
        Features.Set(inbound);
        RemoteEndPoint = inbound.Caller.Address;
        LocalEndPoint = new IPEndPoint(inbound.Original.Address, inbound.Original.Port);
        _ = WatchAsync();
    }

    public override string ConnectionId { get; set; } = Guid.NewGuid().ToString("N");

    public override IFeatureCollection Features { get; } = new FeatureCollection();

    public override IDictionary<object, object?> Items { get; set; } = new ConnectionItems();

    public override IDuplexPipe Transport
    {
        get => this;
        set => throw new NotSupportedException("the transport of a tunnel cannot be replaced");
    }

    public PipeReader Input => _inbound.Input;

    public PipeWriter Output => _inbound.Output;

    public override CancellationToken ConnectionClosed { get; set; }

    public override EndPoint? RemoteEndPoint { get; set; }

    public override EndPoint? LocalEndPoint { get; set; }

    /// <summary>Completes when Kestrel is done with the connection.</summary>
    public Task Done => _disposed.Task;

    public override void Abort(ConnectionAbortedException abortReason)
    {
        // Kestrel's pending read and write end with the stream. A reset would take back what is on its way.
        if (!_inbound.IsCut)
            _inbound.Abort();
        Input.CancelPendingRead();
        Output.CancelPendingFlush();
    }

    public override async ValueTask DisposeAsync()
    {
        await _inbound.DisposeAsync();
        await _closed.CancelAsync();
        _disposed.TrySetResult();
    }

    // A client that has closed does not wait for its answer any more: the request is aborted, as on Kestrel's own sockets and as in Envoy.
    private async Task WatchAsync()
    {
        await Task.WhenAny(_inbound.PeerEnded, _disposed.Task);
        await _closed.CancelAsync();
    }
}

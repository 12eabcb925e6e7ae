using System.Buffers;
using System.IO.Pipelines;
using Mesh.Waypoint.Http1;

namespace Mesh.Waypoint.Forwarding;

/// <summary>A try over HTTP/1.1: the body goes out while the response comes in.</summary>
internal sealed class Http1Call(Http1Pool pool, UpstreamCallContext context) : UpstreamCall
{
    private Http1Connection? _connection;
    private ResponseHead? _head;
    private CancellationTokenRegistration _cancelling;
    private bool _entered;

    public override int Status => _head!.Status;

    public override string Reason => _head!.Reason;

    public override FieldList Fields => _head!.Fields;

    public override FieldList Trailers => _connection!.Trailers;

    public override async Task SendAsync(CancellationToken patience, CancellationToken whole)
    {
        var connection = await pool.RentAsync(context.Dial, patience);
        _connection = connection;
        _entered = context.Cluster.Circuit.TryEnterRequest(context.Model.Limits);
        if (!_entered)
            throw new UpstreamOverflowException("requests under way");
        _cancelling = whole.UnsafeRegister(static c => ((Http1Connection)c!).Cancel(), connection);
        using var waiting = patience == whole ? default : patience.UnsafeRegister(static c => ((Http1Connection)c!).Cancel(), connection);
        try
        {
            var request = context.Request;
            BodySender? body = context.Body is null ? null : SendBodyAsync;
            InterimHandler? interim = context.Interim is null ? null : context.Interim.OnInterimAsync;
            _head = await connection.SendAsync(output => request.WriteHttp1(output, context), body, request.IsHead, interim);
            if (_head.Status == 101 && request.Upgrade is null)
                throw new ProtocolViolationException("the application switched protocols, nobody asked for it");
        }
        catch (IOException e) when (e is not (ProtocolViolationException or UpstreamEndedException))
        {
            // Before its first byte the application may have seen nothing; after it, it has answered and broken off.
            throw connection.HasAnswered
                ? new ProtocolViolationException("the connection ended within the response head")
                : new UpstreamEndedException(context.Endpoint.Description.Hbone, e);
        }
    }

    public override ValueTask<ReadOnlySequence<byte>> ReadBodyAsync() => _connection!.ReadBodyAsync();

    public override (PipeReader Input, PipeWriter Output) TakeStreams() => _connection!.TakeStreams();

    public override async ValueTask DisposeAsync()
    {
        if (_connection is not { } connection)
            return;
        _connection = null;
        await _cancelling.DisposeAsync();
        await connection.StopSendingAsync(isTail: _head is not null && context.Body?.IsComplete == true);
        if (_entered)
            context.Cluster.Circuit.LeaveRequest();
        pool.Return(connection, unused: !_entered);
    }

    private async Task SendBodyAsync(PipeWriter output, CancellationToken stop)
    {
        // Who expects 100 sends nothing before; the application's word is what counts (reference 7.4).
        if (context.Request.ExpectsContinue && context.Interim is { } interim)
        {
            await output.FlushAsync(stop);
            await interim.WaitForContinueAsync(stop);
        }

        await context.Body!.CopyToAsync(new Http1BodySink(output, context.Request.IsChunked), stop);
    }
}

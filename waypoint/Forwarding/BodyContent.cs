using System.Net;

namespace Mesh.Waypoint.Forwarding;

/// <summary>One try's view of the request body.</summary>
internal sealed class BodyContent(ReplayableBody body) : HttpContent
{
    private readonly CancellationTokenSource _stop = new();
    private Task _copying = Task.CompletedTask;

    /// <summary>Ends the copying of a try that is over, so that the next may read. After this nothing reads the body on behalf of it.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        try
        {
            await _copying;
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or HttpRequestException or ObjectDisposedException)
        {
            // The try has failed already and said why; this was only waited for.
        }
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        _copying = CopyAsync(stream, cancellationToken);

    // The framing is the client's: its Content-Length travels as a header, without one the body is chunked.
    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _stop.Dispose();
        base.Dispose(disposing);
    }

    private async Task CopyAsync(Stream stream, CancellationToken cancellation)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, _stop.Token);
        await body.CopyToAsync(new StreamBodySink(stream), either.Token);
    }
}

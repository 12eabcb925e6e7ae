using System.Net;

namespace Mesh.Xds.Grpc;

/// <summary>The request body of a call: hands HttpClient's stream to the call and keeps it open until the requests are complete.</summary>
internal sealed class GrpcRequestContent : HttpContent
{
    private readonly TaskCompletionSource<Stream> _stream = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<Stream> Stream => _stream.Task;

    public void Complete() => _completed.TrySetResult();

    /// <summary>The request failed, or was answered, before its body could begin.</summary>
    public void Abandon() => _stream.TrySetCanceled();

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        // The headers must leave now: the server speaks first on some methods, and an idle call must still be opened.
        try
        {
            await stream.FlushAsync(cancellationToken);
        }
        catch
        {
            // The answer may be there before the body has begun (a method that the server does not know); a writer must not wait for it for ever.
            Abandon();
            throw;
        }

        _stream.TrySetResult(stream);
        await _completed.Task.WaitAsync(cancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = -1;
        return false;
    }
}

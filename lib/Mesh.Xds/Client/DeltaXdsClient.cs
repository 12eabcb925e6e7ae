using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Envoy.Service.Discovery.V3;
using Mesh.Xds.Grpc;

namespace Mesh.Xds.Client;

/// <summary>What the client is connected to, for status pages.</summary>
public sealed record XdsClientStatus(bool Connected, int Streams, string? LastError, DateTimeOffset? LastMessage);

/// <summary>Keeps the process in step with the control plane: one delta stream for all types, reopened for ever.</summary>
/// <remarks>
/// (1) open with one request per type, each with all retained versions  (2) apply each response, answer ACK or NACK
/// (3) when the stream ends, wait as long as the kind of end demands, and start again. State is kept and used meanwhile, without limit.
/// </remarks>
public sealed class DeltaXdsClient
{
    // Requests that may wait for a stream that does not take them: answers, and names that connections ask for.
    private const int WaitingRequests = 100;

    // A server may take the connection and then never answer; another replica may be better. Long, because a control plane that has
    // just started answers a full sync late, and asking again would only cost it more.
    private static readonly TimeSpan LongestOpening = TimeSpan.FromMinutes(2);

    // immutable
    private readonly IXdsTransport _transport;
    private readonly Node _node;
    private readonly IReadOnlyList<XdsTypeState> _types;
    private readonly TimeProvider _time;
    private readonly IXdsClientObserver? _observer;
    private readonly XdsBackoff _backoff;
    private readonly TaskCompletionSource _firstSync = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // any thread, under _gate
    private readonly Lock _gate = new();
    private readonly HashSet<string> _unsynced = new(StringComparer.Ordinal);
    private Channel<DeltaDiscoveryRequest>? _outgoing;
    private XdsClientStatus _status = new(false, 0, null, null);

    [SuppressMessage("Security", "CA5394:Do not use insecure randomness", Justification = "Jitter is no secret.")]
    public DeltaXdsClient(
        IXdsTransport transport, Node node, IReadOnlyList<XdsSubscription> subscriptions, TimeProvider time, IXdsClientObserver? observer = null, Random? random = null)
    {
        _transport = transport;
        _node = node;
        _time = time;
        _observer = observer;
        _backoff = new XdsBackoff(random ?? Random.Shared);
        _types = [.. subscriptions.Select(s => new XdsTypeState(s))];
        foreach (var type in _types.Where(t => t.GatesFirstSync))
            _unsynced.Add(type.TypeUrl);
        if (_unsynced.Count == 0)
            _firstSync.SetResult();
    }

    /// <summary>Completes when every wildcard type was accepted once. A refused first response does not count.</summary>
    public Task FirstSync => _firstSync.Task;

    public XdsClientStatus Status
    {
        get
        {
            lock (_gate)
                return _status;
        }
    }

    /// <summary>Runs until cancelled. Never throws for anything the control plane does.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        for (var stream = 1; !cancellation.IsCancellationRequested; stream++)
        {
            var messages = 0;
            Exception? failure = null;
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            try
            {
                // (1)
                var open = await OpenAsync(stream, ending);

                // (2)
                messages = await ReceiveAllAsync(open, cancellation);
            }
            catch (Exception) when (cancellation.IsCancellationRequested)
            {
                return;
            }
            catch (StreamFailure e)
            {
                messages = e.Messages;
                failure = e.InnerException;
            }
            catch (Exception e)
            {
                failure = e;
            }

            // (3)
            var reason = XdsTerminations.Classify(failure);
            var delay = _backoff.Next(reason, usable: messages > 0);
            var detail = failure?.Message ?? "the server ended the stream";
            lock (_gate)
            {
                _outgoing = null;
                _status = _status with { Connected = false, LastError = detail };
            }

            _observer?.StreamEnded(stream, reason, detail, delay);
            try
            {
                await Task.Delay(delay, _time, cancellation);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>Asks for one name of an on-demand type and waits until the server has answered about it, with the resource or with "there is none".</summary>
    /// <remarks>Names: a workload's uid, <c>network/ip</c> or <c>namespace/hostname</c>. Without a connection the name is asked for as soon as there is one.</remarks>
    public async Task DemandAsync(string typeUrl, string name, CancellationToken cancellation = default)
    {
        Task answered;
        ChannelWriter<DeltaDiscoveryRequest>? writer;
        bool isNew;
        lock (_gate)
        {
            var type = Find(typeUrl) ?? throw new ArgumentException($"{typeUrl} is not subscribed", nameof(typeUrl));
            answered = type.Demand(name, out isNew);
            writer = _outgoing?.Writer;
        }

        if (isNew && writer is not null)
        {
            var request = new DeltaDiscoveryRequest { TypeUrl = typeUrl };
            request.ResourceNamesSubscribe.Add(name);
            try
            {
                await writer.WriteAsync(request, cancellation);
            }
            catch (ChannelClosedException)
            {
                // The stream ended meanwhile; the next one starts with all demanded names.
            }
        }

        await answered.WaitAsync(cancellation);
    }

    private async Task<IXdsStream> OpenAsync(int streamId, CancellationTokenSource ending)
    {
        List<DeltaDiscoveryRequest> first;
        lock (_gate)
        {
            first = [.. _types.Select(t => t.FirstRequest(_node))];
            // From here on a demanded name is sent as a request of its own: it is not in the first ones.
            _outgoing = Channel.CreateBounded<DeltaDiscoveryRequest>(WaitingRequests);
        }

        IXdsStream stream;
        try
        {
            stream = await _transport.OpenAsync(first, ending.Token).WaitAsync(LongestOpening, _time, CancellationToken.None);
        }
        catch (TimeoutException e)
        {
            await ending.CancelAsync();
            throw new GrpcException(new GrpcStatus(GrpcStatusCode.Unavailable, $"the control plane did not answer within {LongestOpening}"), GrpcFailurePhase.Opening, e);
        }

        lock (_gate)
            _status = _status with { Connected = true, Streams = streamId, LastError = null };
        _observer?.StreamEstablished(streamId);
        return stream;
    }

    private async Task<int> ReceiveAllAsync(IXdsStream stream, CancellationToken cancellation)
    {
        var outgoing = _outgoing!;
        var sending = SendAllAsync(stream, outgoing.Reader, cancellation);
        var messages = 0;
        try
        {
            while (await stream.ReceiveAsync() is { } response)
            {
                messages++;
                await outgoing.Writer.WriteAsync(Apply(response), cancellation);
            }

            return messages;
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested)
        {
            throw new StreamFailure(messages, e);
        }
        finally
        {
            outgoing.Writer.TryComplete();
            // The stream is over: what still waits must not be waited for. Disposing it ends a send that hangs.
            await stream.DisposeAsync();
            await sending;
        }
    }

    private static async Task SendAllAsync(IXdsStream stream, ChannelReader<DeltaDiscoveryRequest> requests, CancellationToken cancellation)
    {
        try
        {
            await foreach (var request in requests.ReadAllAsync(cancellation))
                await stream.SendAsync(request);
        }
        catch (Exception e) when (e is GrpcException or OperationCanceledException or ObjectDisposedException)
        {
            // The reader of the stream sees the same end with its reason. Take the rest so that nobody waits for room.
            while (!cancellation.IsCancellationRequested && await requests.WaitToReadAsync(CancellationToken.None))
            {
                while (requests.TryRead(out _))
                {
                }
            }
        }
    }

    /// <summary>Hands the response to its handler and words the answer.</summary>
    private DeltaDiscoveryRequest Apply(DeltaDiscoveryResponse response)
    {
        _observer?.MessageReceived(response.TypeUrl, response.Resources.Sum(r => (long)(r.Resource_?.Value.Length ?? 0)));
        var answer = new DeltaDiscoveryRequest { TypeUrl = response.TypeUrl, ResponseNonce = response.Nonce };
        var type = Find(response.TypeUrl);
        if (type is null)
        {
            // Accepted all the same: refusing what we never asked for would only be repeated.
            _observer?.UnknownType(response.TypeUrl);
            return answer;
        }

        XdsApplyResult result;
        try
        {
            result = type.Handler.Apply(response);
        }
        catch (Exception e)
        {
            result = XdsApplyResult.RejectAll(response, $"could not be applied: {e.Message}");
        }

        lock (_gate)
        {
            type.Applied(response, result);
            _status = _status with { LastMessage = _time.GetUtcNow() };
        }

        if (result.Rejections.Count > 0)
        {
            answer.ErrorDetail = new Status { Message = result.ErrorText };
            _observer?.Rejected(response.TypeUrl, result);
            return answer;
        }

        _observer?.Acknowledged(response.TypeUrl, response.Resources.Count, response.RemovedResources.Count);
        lock (_gate)
        {
            if (_unsynced.Remove(response.TypeUrl) && _unsynced.Count == 0)
                _firstSync.TrySetResult();
        }

        return answer;
    }

    private XdsTypeState? Find(string typeUrl)
    {
        foreach (var type in _types)
        {
            if (type.TypeUrl == typeUrl)
                return type;
        }

        return null;
    }

    /// <summary>An established stream failed after so many messages.</summary>
    private sealed class StreamFailure(int messages, Exception inner) : Exception(inner.Message, inner)
    {
        public int Messages { get; } = messages;
    }
}

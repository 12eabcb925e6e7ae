using System.Threading.Channels;
using Envoy.Service.Discovery.V3;
using Mesh.Xds.Grpc;

namespace Mesh.Xds.Server;

/// <summary>One client's stream: a flow that reads requests and a flow that writes what is pending.</summary>
/// <remarks>
/// The writer is the only one that waits for the client, and it holds nothing but one response while it does. Types are written in
/// the order in which the owner listed the tables, and no change of a later table overtakes the change of an earlier one that was published before it.
/// </remarks>
internal sealed class XdsStreamSession
{
    // A response above this is written under the rules of the admission queue; changes never are.
    private const int FullResponse = 64 * 1024;

    private readonly IXdsServerStream _stream;
    private readonly IReadOnlyList<XdsResourceTable> _tables;
    private readonly DeltaXdsServerOptions _options;
    private readonly FullResponseQueue _admission;
    private readonly XdsStreamStatus _status;
    private readonly Channel<byte> _signal = Channel.CreateBounded<byte>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    // reader and writer, under _gate
    private readonly Lock _gate = new();
    private readonly Dictionary<string, XdsTypeSession> _types = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _lastNonce = new(StringComparer.Ordinal);

    // replaced by the reader, in the order of the tables, types that nobody serves last
    private volatile XdsTypeSession[] _sessions = [];

    // writer only
    private long _responses;
    private long[] _heads = [];

    public XdsStreamSession(IXdsServerStream stream, IReadOnlyList<XdsResourceTable> tables, DeltaXdsServerOptions options, FullResponseQueue admission, XdsStreamStatus status)
    {
        _stream = stream;
        _tables = tables;
        _options = options;
        _admission = admission;
        _status = status;
        _status.PendingSource = () => Array.Exists(_sessions, t => t.HasPending);
    }

    /// <summary>Until the client has no more requests (OK), goes away, or breaks a rule (<see cref="GrpcException"/>).</summary>
    public async Task RunAsync()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(_stream.Cancellation);
        var writing = WriteAllAsync(stop.Token);
        try
        {
            var reading = ReadAllAsync();
            var first = await Task.WhenAny(reading, writing);
            await first;
        }
        finally
        {
            await stop.CancelAsync();
            foreach (var type in _sessions)
                type.Close();
            try
            {
                await writing;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                // We asked for it.
            }
        }
    }

    private async Task ReadAllAsync()
    {
        while (await _stream.ReadAsync() is { } request)
            Handle(request);
    }

    private void Handle(DeltaDiscoveryRequest request)
    {
        if (_status.Node is null)
        {
            var node = request.Node ?? throw new GrpcException(GrpcStatusCode.InvalidArgument, "the first request of a stream must carry a node");
            _options.AcceptNode?.Invoke(_status.Peer, node);
            _status.Node = node;
        }

        var type = TypeFor(request.TypeUrl, out var isNew);
        if (request.ResponseNonce.Length > 0)
            Answered(request, type);
        // Pure acknowledgements change no subscription. (An empty first request does: it means everything.)
        if (!isNew && request.ResourceNamesSubscribe.Count == 0 && request.ResourceNamesUnsubscribe.Count == 0)
            return;
        type.Requested(request, NodeName());
        _status.Requested(request.TypeUrl, type.IsWildcard, type.SubscribedNames);
    }

    private void Answered(DeltaDiscoveryRequest request, XdsTypeSession type)
    {
        if (XdsNonce.VersionOf(request.ResponseNonce) is { } version)
            type.Answered(version);
        if (request.ErrorDetail is { } error)
        {
            // Recorded whatever the nonce: a refusal of an older response is just as true. Never sent again by us.
            var nack = new XdsNack(request.TypeUrl, request.ResponseNonce, error.Message, _options.Time.GetUtcNow());
            _status.Rejected(nack);
            _options.Rejected?.Invoke(_status, nack);
            return;
        }

        bool current;
        lock (_gate)
            current = _lastNonce.GetValueOrDefault(request.TypeUrl) == request.ResponseNonce;
        if (current)
            _status.Acknowledged(request.TypeUrl, request.ResponseNonce);
    }

    private XdsTypeSession TypeFor(string typeUrl, out bool isNew)
    {
        lock (_gate)
        {
            isNew = !_types.TryGetValue(typeUrl, out var type);
            if (!isNew)
                return type!;
            // A type that nobody serves is answered as an empty one: the client must not wait for it for ever.
            var table = _tables.FirstOrDefault(t => t.TypeUrl == typeUrl) ?? new XdsResourceTable(typeUrl);
            type = _types[typeUrl] = new XdsTypeSession(table, _options.AudienceOf?.Invoke(_status.Peer), _options.MaximumPendingNames, () => _signal.Writer.TryWrite(0));
            var known = _tables.Where(t => _types.ContainsKey(t.TypeUrl)).Select(t => _types[t.TypeUrl]).ToList();
            known.AddRange(_types.Values.Where(t => !known.Contains(t)));
            _sessions = [.. known];
            return type;
        }
    }

    private async Task WriteAllAsync(CancellationToken cancellation)
    {
        while (await _signal.Reader.WaitToReadAsync(cancellation))
        {
            _signal.Reader.TryRead(out _);
            var sessions = _sessions;
            Heads(sessions);
            for (var i = 0; i < sessions.Length; i++)
            {
                while (sessions[i].Take(_heads[i]) is { } batch)
                    await SendAsync(sessions[i].TypeUrl, batch, cancellation);
                if (sessions[i].IsOverrun)
                    throw new GrpcException(GrpcStatusCode.Unavailable, "the client reads too slowly; it should come back with the versions it has");
            }
        }
    }

    /// <summary>
    /// Read from the last table to the first: the owner publishes in the order of the tables, so what an earlier table must say first is below its head when a
    /// later one's change is below that one's.
    /// </summary>
    private void Heads(XdsTypeSession[] sessions)
    {
        if (_heads.Length < sessions.Length)
            _heads = new long[sessions.Length];
        for (var i = sessions.Length - 1; i >= 0; i--)
            _heads[i] = sessions[i].Head;
    }

    private async ValueTask SendAsync(string typeUrl, XdsBatch batch, CancellationToken cancellation)
    {
        if (batch.Shared is { } shared && shared.Response(typeUrl) is { Whole: not null } response)
        {
            await SendAsync(response, shared.Since, cancellation);
            return;
        }

        var removed = batch.Removed;
        foreach (var resources in Split(batch))
        {
            var own = new XdsResponse(typeUrl, XdsNonce.Own(batch.Version, ++_responses), batch.Version, resources, removed, batch.WithAliases);
            removed = [];
            if (own.Length <= FullResponse)
            {
                await SendAsync(own, batch.Shared?.Since ?? 0, cancellation);
                continue;
            }

            using var place = await _admission.EnterAsync(cancellation);
            await SendAsync(own, batch.Shared?.Since ?? 0, cancellation);
        }
    }

    private async ValueTask SendAsync(XdsResponse response, long since, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        lock (_gate)
            _lastNonce[response.TypeUrl] = response.Nonce;
        var writing = _stream.WriteAsync(response);
        // The transport has room, nearly always: no timer then.
        if (writing.IsCompleted)
            await writing;
        else
            await WaitAsync(writing, response, cancellation);
        var push = new XdsPush(response.TypeUrl, response.Nonce, response.Resources, response.Removed, response.Length, _options.Time.GetUtcNow(), since);
        _status.Sent(push);
        _options.Pushed?.Invoke(_status, push);
    }

    private async ValueTask WaitAsync(ValueTask writing, XdsResponse response, CancellationToken cancellation)
    {
        try
        {
            await writing.AsTask().WaitAsync(_options.SendTimeout, _options.Time, cancellation);
        }
        catch (TimeoutException)
        {
            _stream.Abort();
            throw new GrpcException(GrpcStatusCode.Unavailable, $"the client did not take a response of {response.Length} bytes within {_options.SendTimeout}");
        }
    }

    // At least one response, even an empty one.
    private IEnumerable<IReadOnlyList<XdsResource>> Split(XdsBatch batch)
    {
        var first = 0;
        long size = 0;
        for (var i = 0; i < batch.Resources.Count; i++)
        {
            size += batch.Resources[i].Size;
            if (size <= _options.LargestResponse || i == first)
                continue;
            yield return [.. batch.Resources.Skip(first).Take(i - first)];
            first = i;
            size = batch.Resources[i].Size;
        }

        yield return first == 0 ? batch.Resources : [.. batch.Resources.Skip(first)];
    }

    private string? NodeName() => _status.Node?.Metadata?.Fields.TryGetValue("NODE_NAME", out var value) == true ? value.StringValue : null;
}

using System.Threading.Channels;
using Envoy.Service.Discovery.V3;
using Mesh.Xds.Server;

namespace Mesh.Xds.Tests.Server;

/// <summary>A client of the delta server without a network: applies what it is sent, may stop reading, may come back with what it has.</summary>
internal sealed class InMemoryXdsClient : IXdsServerStream, IAsyncDisposable
{
    private readonly Channel<DeltaDiscoveryRequest> _requests = Channel.CreateUnbounded<DeltaDiscoveryRequest>();
    private readonly CancellationTokenSource _gone = new();
    private readonly Dictionary<string, string> _has;
    private readonly HashSet<string> _letGo = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private readonly string _typeUrl;
    private readonly Task _serving;
    private TaskCompletionSource _reading = Completed();
    private readonly TaskCompletionSource _waiting = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public InMemoryXdsClient(DeltaXdsServer server, string typeUrl, Dictionary<string, string>? has = null, string nodeName = "")
    {
        _typeUrl = typeUrl;
        _has = has ?? new Dictionary<string, string>(StringComparer.Ordinal);
        Node = new Node { Id = "test", Metadata = new() };
        Node.Metadata.Fields["NODE_NAME"] = Google.Protobuf.WellKnownTypes.Value.ForString(nodeName);
        _serving = Task.Run(() => server.ServeAsync(this, new XdsPeer("test")));
    }

    public Node Node { get; }

    public CancellationToken Cancellation => _gone.Token;

    public List<DeltaDiscoveryResponse> Responses { get; } = [];

    /// <summary>The same as the server handed them over; equal objects were encoded once.</summary>
    public List<XdsResponse> Received { get; } = [];

    /// <summary>Set to answer nothing any more, as a client that hangs.</summary>
    public bool Mute { get; set; }

    public bool Aborted { get; private set; }

    public Task Serving => _serving;

    /// <summary>Name and version of everything the client holds.</summary>
    public Dictionary<string, string> Has
    {
        get
        {
            lock (_gate)
                return new Dictionary<string, string>(_has, StringComparer.Ordinal);
        }
    }

    /// <summary>The first request of a stream.</summary>
    public void Start(bool onDemand = false, params string[] subscribe)
    {
        var request = new DeltaDiscoveryRequest { Node = Node, TypeUrl = _typeUrl };
        if (onDemand)
        {
            request.ResourceNamesSubscribe.Add("*");
            request.ResourceNamesUnsubscribe.Add("*");
        }

        request.ResourceNamesSubscribe.Add(subscribe);
        request.InitialResourceVersions.Add(Has);
        Send(request);
    }

    public void Subscribe(params string[] names)
    {
        lock (_gate)
            _letGo.ExceptWith(names);
        var request = new DeltaDiscoveryRequest { TypeUrl = _typeUrl };
        request.ResourceNamesSubscribe.Add(names);
        Send(request);
    }

    /// <summary>What is still on its way to us then is dropped when it arrives.</summary>
    public void Unsubscribe(string name)
    {
        lock (_gate)
        {
            _has.Remove(name);
            _letGo.Add(name);
        }

        var request = new DeltaDiscoveryRequest { TypeUrl = _typeUrl };
        request.ResourceNamesUnsubscribe.Add(name);
        Send(request);
    }

    public void Send(DeltaDiscoveryRequest request) => Assert.True(_requests.Writer.TryWrite(request));

    /// <summary>Stopping twice is stopping once: a write that waits already waits for the source of the first time.</summary>
    public void StopReading()
    {
        if (_reading.Task.IsCompleted)
            _reading = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>Completes when the server waits for us to read on.</summary>
    public Task ServerWaits => _waiting.Task;

    public void ReadOn() => _reading.TrySetResult();

    /// <summary>Completes when the condition holds, checked after each response; false when it does not come to hold.</summary>
    public async Task<bool> UntilAsync(Func<Dictionary<string, string>, bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(15));
        while (true)
        {
            Task changed;
            lock (_gate)
            {
                if (condition(_has))
                    return true;
                changed = _changed.Task;
            }

            try
            {
                await changed.WaitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }
    }

    public Task<bool> UntilResponsesAsync(int count) => UntilAsync(_ => Responses.Count >= count);

    public ValueTask<DeltaDiscoveryRequest?> ReadAsync() => ReadOrEndAsync();

    public async ValueTask WriteAsync(XdsResponse response)
    {
        if (!_reading.Task.IsCompleted)
            _waiting.TrySetResult();
        await _reading.Task.WaitAsync(_gone.Token);
        var message = response.ToMessage();
        Assert.Equal(response.Length, message.CalculateSize());
        lock (_gate)
        {
            foreach (var resource in message.Resources.Where(r => !_letGo.Contains(r.Name)))
                _has[resource.Name] = resource.Version;
            foreach (var name in message.RemovedResources)
                _has.Remove(name);
            Responses.Add(message);
            Received.Add(response);
            var changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            changed.SetResult();
        }

        if (!Mute)
            Send(new DeltaDiscoveryRequest { TypeUrl = message.TypeUrl, ResponseNonce = message.Nonce });
    }

    public void Abort() => Aborted = true;

    public async ValueTask DisposeAsync()
    {
        _requests.Writer.TryComplete();
        await _gone.CancelAsync();
        await _serving.ContinueWith(_ => { }, TaskScheduler.Default);
        _gone.Dispose();
    }

    private async ValueTask<DeltaDiscoveryRequest?> ReadOrEndAsync()
    {
        while (await _requests.Reader.WaitToReadAsync(_gone.Token))
        {
            if (_requests.Reader.TryRead(out var request))
                return request;
        }

        return null;
    }

    private static TaskCompletionSource Completed()
    {
        var completed = new TaskCompletionSource();
        completed.SetResult();
        return completed;
    }
}

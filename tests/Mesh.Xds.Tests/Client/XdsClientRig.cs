using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Mesh.Testing;
using Mesh.Xds.Client;

namespace Mesh.Xds.Tests.Client;

/// <summary>A client against a scripted control plane, on a clock that the test moves. Resources whose name starts with "bad" are refused.</summary>
internal sealed class XdsClientRig : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    public XdsClientRig(XdsSubscriptionMode addressMode = XdsSubscriptionMode.Wildcard, XdsNode? node = null)
    {
        Node = node ?? new XdsNode { Role = "ztunnel", PodName = "z", PodNamespace = "istio-system" };
        Client = new DeltaXdsClient(
            Server, Node.ToProto(), [new XdsSubscription(Addresses, addressMode), new XdsSubscription(Policies)], Time, Observed, new Random(1));
        _running = Client.RunAsync(_stop.Token);
    }

    public XdsNode Node { get; }

    public ManualTimeProvider Time { get; } = new();

    public ScriptedXdsServer Server { get; } = new();

    public Recorder Addresses { get; } = new(XdsTypeUrls.Address);

    public Recorder Policies { get; } = new(XdsTypeUrls.Authorization);

    public Observer Observed { get; } = new();

    public DeltaXdsClient Client { get; }

    public static DeltaDiscoveryResponse Response(string typeUrl, string nonce, params (string Name, string Version)[] resources)
    {
        var response = new DeltaDiscoveryResponse { TypeUrl = typeUrl, Nonce = nonce };
        foreach (var (name, version) in resources)
            response.Resources.Add(new Resource { Name = name, Version = version, Resource_ = new Any { TypeUrl = typeUrl, Value = ByteString.CopyFromUtf8("12345") } });
        return response;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    internal sealed class Recorder(string typeUrl) : IXdsResourceHandler
    {
        public string TypeUrl => typeUrl;

        public List<string> Log { get; } = [];

        public Exception? Fails { get; set; }

        public XdsApplyResult Apply(DeltaDiscoveryResponse response)
        {
            if (Fails is { } failure)
                throw failure;
            Log.AddRange(response.Resources.Select(r => "+" + r.Name));
            Log.AddRange(response.RemovedResources.Select(n => "-" + n));
            var bad = response.Resources.Where(r => r.Name.StartsWith("bad", StringComparison.Ordinal)).Select(r => new XdsRejection(r.Name, "is bad")).ToList();
            return bad.Count == 0 ? XdsApplyResult.Accepted : new XdsApplyResult(bad);
        }
    }

    internal sealed class Observer : IXdsClientObserver
    {
        private readonly System.Threading.Channels.Channel<(XdsTermination Reason, TimeSpan RetryIn)> _ends =
            System.Threading.Channels.Channel.CreateUnbounded<(XdsTermination, TimeSpan)>();

        public Dictionary<string, long> Bytes { get; } = new(StringComparer.Ordinal);

        public Task<(XdsTermination Reason, TimeSpan RetryIn)> NextEndAsync() => _ends.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20));

        public void MessageReceived(string typeUrl, long bytes) => Bytes[typeUrl] = Bytes.GetValueOrDefault(typeUrl) + bytes;

        public void StreamEnded(int streamId, XdsTermination reason, string detail, TimeSpan retryIn) => _ends.Writer.TryWrite((reason, retryIn));
    }
}

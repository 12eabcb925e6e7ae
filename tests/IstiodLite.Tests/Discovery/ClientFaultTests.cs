using Envoy.Service.Discovery.V3;
using Mesh.IstiodLite.Discovery;
using Mesh.Testing;
using Mesh.Xds;
using Mesh.Xds.Server;

namespace Mesh.IstiodLite.Tests.Discovery;

/// <summary>Clients that do not have what they should have are named, whether they refuse it or say nothing.</summary>
public sealed class ClientFaultTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly XdsResourceTable _table = new(XdsTypeUrls.Address);

    [Fact]
    public async Task Client_ThatNeverAnswers_IsNamedAfterAWhile_AndOneThatRefusesAtOnce()
    {
        var server = new DeltaXdsServer([_table], new DeltaXdsServerOptions { Time = _time });
        await using var silent = new Client(server, "silent");
        await using var refuses = new Client(server, "refuses");
        silent.Ask(new DeltaDiscoveryRequest { TypeUrl = XdsTypeUrls.Address, Node = new Node { Id = "silent" } });
        refuses.Ask(new DeltaDiscoveryRequest { TypeUrl = XdsTypeUrls.Address, Node = new Node { Id = "refuses" } });
        await silent.UntilAsync(() => IsSent(server, "silent"));
        await refuses.UntilAsync(() => IsSent(server, "refuses"));
        Assert.Empty(ClientFaults.Of(server.Streams, _time.GetUtcNow()));

        var push = server.Streams.Single(s => s.Peer.Name == "refuses").Types[0].LastPush!.Value;
        refuses.Ask(new DeltaDiscoveryRequest { TypeUrl = XdsTypeUrls.Address, ResponseNonce = push.Nonce, ErrorDetail = new Envoy.Service.Discovery.V3.Status { Code = 3, Message = "do not like it" } });
        await refuses.UntilAsync(() => ClientFaults.Of(server.Streams, _time.GetUtcNow()).Any());
        Assert.Equal(["refuses refused istio.workload.Address: do not like it; it keeps what it accepted last"], ClientFaults.Of(server.Streams, _time.GetUtcNow()));

        _time.Advance(TimeSpan.FromSeconds(31));
        Assert.Contains("silent has not answered istio.workload.Address for 31 s; look whether it hangs", ClientFaults.Of(server.Streams, _time.GetUtcNow()));
    }

    private static bool IsSent(DeltaXdsServer server, string name) => server.Streams.Any(s => s.Peer.Name == name && s.Types is [{ LastPush: not null }]);

    /// <summary>Takes every response at once and says only what it is told to say.</summary>
    private sealed class Client : IXdsServerStream, IAsyncDisposable
    {
        private readonly System.Threading.Channels.Channel<DeltaDiscoveryRequest> _requests = System.Threading.Channels.Channel.CreateUnbounded<DeltaDiscoveryRequest>();
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _served;

        public Client(DeltaXdsServer server, string name) => _served = server.ServeAsync(this, new XdsPeer(name));

        public CancellationToken Cancellation => _stop.Token;

        public void Ask(DeltaDiscoveryRequest request) => _requests.Writer.TryWrite(request);

        public async ValueTask<DeltaDiscoveryRequest?> ReadAsync() => await _requests.Reader.WaitToReadAsync(_stop.Token) && _requests.Reader.TryRead(out var request) ? request : null;

        public ValueTask WriteAsync(XdsResponse response) => ValueTask.CompletedTask;

        public void Abort() => _stop.Cancel();

        public async Task UntilAsync(Func<bool> condition)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            // The status of a stream is a page for people: it has no event.
            while (!condition())
                await Task.Delay(5, limit.Token);
        }

        public async ValueTask DisposeAsync()
        {
            _requests.Writer.Complete();
            await _served;
            _stop.Dispose();
        }
    }
}

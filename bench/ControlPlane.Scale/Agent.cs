using Envoy.Service.Discovery.V3;
using Mesh.ControlPlane.Scale.Wire;
using Mesh.Xds;
using Mesh.Xds.Grpc;

namespace Mesh.ControlPlane.Scale;

/// <summary>A simulated node agent: its own connection, both types as a wildcard, everything acknowledged, nothing kept.</summary>
internal sealed class Agent : IAsyncDisposable
{
    private static readonly GrpcMethod<DeltaDiscoveryRequest, Response> _method =
        new(GrpcMethods.DeltaAggregatedResources.FullName, DeltaDiscoveryRequest.Parser, Response.Parser.WithDiscardUnknownFields(true));

    // A control plane that is busy with thousands of handshakes ends those that take too long; an agent comes back, and so does this one.
    private const int Attempts = 20;
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(500);

    private readonly GrpcChannel _channel;
    private readonly Action<string> _received;
    private GrpcDuplexCall<DeltaDiscoveryRequest, Response>? _call;
    private Task _running = Task.CompletedTask;

    /// <param name="server">To connect to.</param>
    /// <param name="token">Of a node.</param>
    /// <param name="received">Called with every name that comes after the first sync, changed or removed.</param>
    public Agent(ServerProcess server, string token, Action<string> received)
    {
        _received = received;
        _channel = new GrpcChannel(new GrpcChannelOptions
        {
            Address = server.Discovery,
            Trust = GrpcServerTrust.FromFile(server.RootCertificate),
            Credentials = TokenCredentials.FromLiteral(token, "Kubernetes"),
            ConnectTimeout = TimeSpan.FromMinutes(1),
        });
    }

    /// <summary>Set when the agent lost its stream; the figures are then worth nothing.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>How often it connected in vain, and why the last time.</summary>
    public int Retries { get; private set; }
    public string? Reason { get; private set; }

    /// <summary>Connects and returns the number of resources when both types have come.</summary>
    public async Task<int> SyncAsync()
    {
        while (true)
        {
            try
            {
                return await TrySyncAsync();
            }
            catch (GrpcException e) when (e.Status.Code is GrpcStatusCode.Unavailable or GrpcStatusCode.Cancelled && Retries < Attempts)
            {
                Retries++;
                Reason = e.Message;
                await Task.Delay(_pause, TimeProvider.System);
            }
        }
    }

    /// <summary>Asks for everything and reads nothing of it, as an agent that hangs.</summary>
    public async Task StallAsync() => await AskAsync();

    private async Task AskAsync()
    {
        _call = await _channel.StartDuplexAsync(_method);
        foreach (var type in (string[])[XdsTypeUrls.Address, XdsTypeUrls.Authorization])
            await _call.WriteAsync(new DeltaDiscoveryRequest { TypeUrl = type, Node = new Node { Id = "ztunnel~127.0.0.1~ztunnel.istio-system~istio-system.svc.cluster.local" }, ResourceNamesSubscribe = { "*" } });
    }

    private async Task<int> TrySyncAsync()
    {
        await AskAsync();
        var resources = 0;
        var types = new HashSet<string>(StringComparer.Ordinal);
        while (types.Count < 2)
        {
            var response = await ReadAsync();
            types.Add(response.TypeUrl);
            resources += response.Resources.Count;
        }

        _running = RunAsync();
        return resources;
    }

    public async ValueTask DisposeAsync()
    {
        if (_call is not null)
            await _call.DisposeAsync();
        await _running;
        _channel.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                var response = await ReadAsync();
                foreach (var resource in response.Resources)
                    _received(resource.Name);
                foreach (var name in response.RemovedResources)
                    _received(name);
            }
        }
        catch (GrpcException e)
        {
            Failure = e;
        }
    }

    private async Task<Response> ReadAsync()
    {
        var response = await _call!.ReadAsync() ?? throw new GrpcException(GrpcStatusCode.Unavailable, "the server ended the stream");
        await _call.WriteAsync(new DeltaDiscoveryRequest { TypeUrl = response.TypeUrl, ResponseNonce = response.Nonce });
        return response;
    }
}

using System.Collections.Concurrent;
using Envoy.Service.Discovery.V3;
using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Push;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Telemetry;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;
using Mesh.Xds.Grpc;
using Mesh.Xds.Server;

namespace Mesh.IstiodLite.Discovery;

/// <summary>
/// One delta stream: (1) who is it  (2) the first request says what kind of proxy it is, which must fit to who it is  (3) the tables for that kind
/// are served until the end.
/// </summary>
internal sealed class DiscoveryService
{
    private readonly Reconciler _mesh;
    private readonly Publisher _publisher;
    private readonly ITokenVerifier _tokens;
    private readonly ControlPlaneMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly Log? _log;
    private readonly DeltaXdsServerOptions _options;
    private readonly DeltaXdsServer _agents;
    private readonly ConcurrentDictionary<string, DeltaXdsServer> _waypoints = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Counter> _pushes = new(StringComparer.Ordinal);
    private readonly Func<string, Counter> _pushCounter;

    public DiscoveryService(Reconciler mesh, Publisher publisher, ITokenVerifier tokens, bool scopeByNode, ControlPlaneMetrics metrics, TimeProvider time, Log? log)
    {
        (_mesh, _publisher, _tokens, _metrics, _time, _log) = (mesh, publisher, tokens, metrics, time, log);
        _pushCounter = type => metrics.Pushes.With(ControlPlaneMetrics.ShortType(type));
        _options = new DeltaXdsServerOptions { Time = time, Rejected = OnRejected, Pushed = OnPushed };
        if (scopeByNode)
            _options = _options with { AudienceOf = peer => peer.Principal is ConnectedProxy { Caller: NodeCaller agent } ? publisher.Audiences.For(agent.Node) : null };
        _agents = new DeltaXdsServer([publisher.Authorizations, publisher.Addresses], _options);
        publisher.Authorizations.Converged = publisher.Addresses.Converged = since => metrics.ConvergenceOfAll.Observe(time.GetElapsedTime(since));
    }

    /// <summary>Who refused, what, and why. From the stream's own task.</summary>
    public event Action<XdsPeer, string, string>? Refused;

    public IEnumerable<XdsStreamStatus> Streams => _agents.Streams.Concat(_waypoints.Values.SelectMany(s => s.Streams)).OrderBy(s => s.Connected);

    public async Task ServeAsync(GrpcServerStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse> call)
    {
        // (1)
        var (caller, reason) = await _tokens.VerifyAsync(call.BearerToken, call.Cancellation);
        if (caller is null)
        {
            _metrics.ConnectionsClosed.Increment();
            _log?.Warn($"stream refused to {call.RemoteEndPoint}: {reason}");
            throw new GrpcException(GrpcStatusCode.Unauthenticated, $"authentication failure: {reason}");
        }
        await call.SendHeadersAsync();

        // (2)
        if (await call.ReadAsync() is not { } first)
            return;
        var node = first.Node ?? throw new GrpcException(GrpcStatusCode.InvalidArgument, "the first request of a stream must carry a node");
        var gateway = ProxyIdentity.Check(caller, node, _mesh.Current.Translated.Catalog);
        var server = gateway is null ? _agents : _waypoints.GetOrAdd(gateway, MakeServer);

        // (3)
        _metrics.Clients.Increment();
        _log?.Info($"{caller.Name} connected as {node.Id} from {call.RemoteEndPoint}");
        try
        {
            await server.ServeAsync(new GrpcXdsServerStream(call, first), new XdsPeer(caller.Name, new ConnectedProxy(caller, node.Id)));
        }
        finally
        {
            _metrics.Clients.Decrement();
            _log?.Info($"{caller.Name} disconnected");
        }
    }

    private DeltaXdsServer MakeServer(string gateway)
    {
        var tables = _publisher.For(gateway);
        return new DeltaXdsServer([_publisher.Authorizations, tables.Policies, tables.Clusters, tables.Services, _publisher.Addresses], _options);
    }

    private void OnRejected(XdsStreamStatus stream, XdsNack nack)
    {
        _metrics.Rejects.With(ControlPlaneMetrics.ShortType(nack.TypeUrl)).Increment();
        _log?.Warn($"{stream.Peer.Name} refused {ControlPlaneMetrics.ShortType(nack.TypeUrl)} {nack.Nonce}: {nack.Message}");
        Refused?.Invoke(stream.Peer, ControlPlaneMetrics.ShortType(nack.TypeUrl), nack.Message);
    }

    private void OnPushed(XdsStreamStatus stream, XdsPush push)
    {
        _pushes.GetOrAdd(push.TypeUrl, _pushCounter).Increment();
        if (push.Since != 0)
            _metrics.Convergence.Observe(_time.GetElapsedTime(push.Since));
        if (_log?.IsEnabled(LogSeverity.Debug) is true)
            _log.Debug($"{stream.Peer.Name} was sent {push.Resources} and told of {push.Removed} removed {ControlPlaneMetrics.ShortType(push.TypeUrl)}, {push.Bytes} bytes");
    }
}

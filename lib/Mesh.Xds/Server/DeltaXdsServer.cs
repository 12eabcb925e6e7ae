using System.Collections.Concurrent;
using Envoy.Service.Discovery.V3;
using Mesh.Xds.Grpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;

namespace Mesh.Xds.Server;

/// <summary>Serves resource tables to any number of delta streams.</summary>
/// <remarks>The order of <paramref name="tables"/> is the order in which changes of several types reach a client: list first what others refer to.</remarks>
public sealed class DeltaXdsServer(IReadOnlyList<XdsResourceTable> tables, DeltaXdsServerOptions? options = null)
{
    private readonly DeltaXdsServerOptions _options = options ?? new DeltaXdsServerOptions();
    private readonly FullResponseQueue _admission = new(options ?? new DeltaXdsServerOptions());
    private readonly ConcurrentDictionary<long, XdsStreamStatus> _streams = new();
    private long _lastId;

    public IReadOnlyList<XdsResourceTable> Tables => tables;

    /// <summary>The connected clients, oldest first.</summary>
    public IReadOnlyList<XdsStreamStatus> Streams => [.. _streams.Values.OrderBy(s => s.Id)];

    public XdsResourceTable? Table(string typeUrl) => tables.FirstOrDefault(t => t.TypeUrl == typeUrl);

    /// <summary>Adds the discovery service to a Kestrel application.</summary>
    public IEndpointConventionBuilder Map(IEndpointRouteBuilder endpoints, GrpcServerOptions? grpc = null) =>
        endpoints.MapGrpcDuplex(GrpcMethods.DeltaAggregatedResources, ServeAsync, grpc);

    /// <summary>One gRPC call: (1) who is it  (2) accepted, say so  (3) requests and responses until it ends.</summary>
    public async Task ServeAsync(GrpcServerStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse> call)
    {
        // (1)
        var peer = _options.Authenticate is { } authenticate
            ? await authenticate(call)
            : new XdsPeer(call.RemoteEndPoint?.ToString() ?? "unknown");

        // (2)
        await call.SendHeadersAsync();

        // (3)
        await ServeAsync(new GrpcXdsServerStream(call), peer);
    }

    /// <summary>One stream of an authenticated peer.</summary>
    public async Task ServeAsync(IXdsServerStream stream, XdsPeer peer)
    {
        var status = new XdsStreamStatus(Interlocked.Increment(ref _lastId), peer, _options.Time.GetUtcNow());
        _streams[status.Id] = status;
        try
        {
            await new XdsStreamSession(stream, tables, _options, _admission, status).RunAsync();
        }
        finally
        {
            _streams.TryRemove(status.Id, out _);
        }
    }
}

using Envoy.Service.Discovery.V3;
using Mesh.Xds.Grpc;

namespace Mesh.Xds.Server;

/// <summary>A discovery stream over gRPC.</summary>
/// <param name="call">Accepted already.</param>
/// <param name="first">A request that the owner has read in order to know what to serve; it is handed out before those that follow.</param>
public sealed class GrpcXdsServerStream(GrpcServerStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse> call, DeltaDiscoveryRequest? first = null) : IXdsServerStream
{
    private DeltaDiscoveryRequest? _first = first;

    public CancellationToken Cancellation => call.Cancellation;

    public ValueTask<DeltaDiscoveryRequest?> ReadAsync()
    {
        if (_first is not { } request)
            return call.ReadAsync();
        _first = null;
        return ValueTask.FromResult<DeltaDiscoveryRequest?>(request);
    }

    public ValueTask WriteAsync(XdsResponse response) =>
        response.Whole is { } whole ? call.WriteEncodedAsync(whole) : call.WriteEncodedAsync(response.Length, response.Pieces());

    public void Abort() => call.Abort();
}

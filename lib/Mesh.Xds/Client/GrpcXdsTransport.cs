using Envoy.Service.Discovery.V3;
using Mesh.Xds.Grpc;

namespace Mesh.Xds.Client;

/// <summary>Discovery over a gRPC channel.</summary>
public sealed class GrpcXdsTransport(GrpcChannel channel, GrpcMetadata? headers = null) : IXdsTransport
{
    private readonly GrpcCallOptions _options = new() { Metadata = headers ?? GrpcMetadata.Empty };

    public async Task<IXdsStream> OpenAsync(IReadOnlyList<DeltaDiscoveryRequest> first, CancellationToken cancellation)
    {
        var call = await channel.StartDuplexAsync(GrpcMethods.DeltaAggregatedResources, _options, cancellation);
        try
        {
            // Requests go out before the answer's headers are there: a server written in Go sends them with its first response.
            try
            {
                foreach (var request in first)
                    await call.WriteAsync(request);
            }
            catch (GrpcException)
            {
                // The answer below says why.
            }

            await call.WaitForHeadersAsync();
            return new Stream(call);
        }
        catch
        {
            await call.DisposeAsync();
            throw;
        }
    }

    private sealed class Stream(GrpcDuplexCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> call) : IXdsStream
    {
        public Task SendAsync(DeltaDiscoveryRequest request) => call.WriteAsync(request);

        public Task<DeltaDiscoveryResponse?> ReceiveAsync() => call.ReadAsync();

        public ValueTask DisposeAsync() => call.DisposeAsync();
    }
}

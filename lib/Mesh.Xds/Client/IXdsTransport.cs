using Envoy.Service.Discovery.V3;

namespace Mesh.Xds.Client;

/// <summary>Opens discovery streams. Failures are <see cref="Grpc.GrpcException"/>s whose phase says how far it came.</summary>
public interface IXdsTransport
{
    /// <summary>Sends the first requests and returns when the server accepted the stream. Cancelling ends the stream as well, whatever it waits for.</summary>
    Task<IXdsStream> OpenAsync(IReadOnlyList<DeltaDiscoveryRequest> first, CancellationToken cancellation);
}

/// <summary>An accepted stream. One reader, one writer.</summary>
public interface IXdsStream : IAsyncDisposable
{
    Task SendAsync(DeltaDiscoveryRequest request);

    /// <summary>Null: the server ended the stream with OK.</summary>
    Task<DeltaDiscoveryResponse?> ReceiveAsync();
}

using Envoy.Service.Discovery.V3;
using Istio.V1.Auth;

namespace Mesh.Xds.Grpc;

/// <summary>The methods that the mesh's processes speak among each other.</summary>
public static class GrpcMethods
{
    public static readonly GrpcMethod<DeltaDiscoveryRequest, DeltaDiscoveryResponse> DeltaAggregatedResources = new(
        "envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources", DeltaDiscoveryRequest.Parser, DeltaDiscoveryResponse.Parser);

    public static readonly GrpcMethod<IstioCertificateRequest, IstioCertificateResponse> CreateCertificate = new(
        "istio.v1.auth.IstioCertificateService/CreateCertificate", IstioCertificateRequest.Parser, IstioCertificateResponse.Parser);
}

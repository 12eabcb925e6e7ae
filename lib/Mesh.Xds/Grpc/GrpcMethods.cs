using Envoy.Service.Auth.V3;
using Envoy.Service.Discovery.V3;
using Envoy.Service.Ratelimit.V3;
using Istio.V1.Auth;

namespace Mesh.Xds.Grpc;

/// <summary>The methods that the mesh's processes speak among each other and with Envoy's services.</summary>
public static class GrpcMethods
{
    public static readonly GrpcMethod<DeltaDiscoveryRequest, DeltaDiscoveryResponse> DeltaAggregatedResources = new(
        "envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources", DeltaDiscoveryRequest.Parser, DeltaDiscoveryResponse.Parser);

    public static readonly GrpcMethod<IstioCertificateRequest, IstioCertificateResponse> CreateCertificate = new(
        "istio.v1.auth.IstioCertificateService/CreateCertificate", IstioCertificateRequest.Parser, IstioCertificateResponse.Parser);

    public static readonly GrpcMethod<CheckRequest, CheckResponse> CheckAuthorization = new(
        "envoy.service.auth.v3.Authorization/Check", CheckRequest.Parser, CheckResponse.Parser);

    public static readonly GrpcMethod<RateLimitRequest, RateLimitResponse> ShouldRateLimit = new(
        "envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit", RateLimitRequest.Parser, RateLimitResponse.Parser);
}

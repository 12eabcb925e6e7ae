using Istio.V1.Auth;
using Mesh.Identity.Certificates;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Telemetry;
using Mesh.Model;
using Mesh.Runtime.Logging;
using Mesh.Xds.Grpc;

namespace Mesh.IstiodLite.Certificates;

/// <summary>What the signing service needs to know of the rest of the control plane.</summary>
internal interface IMeshView
{
    ResourceSet Resources { get; }
    string TrustDomain { get; }
    string SystemNamespace { get; }

    /// <summary>Looks for changes now; for a pod whose document was written a moment ago.</summary>
    Task RefreshAsync();
}

/// <summary>IstioCertificateService: (1) who asks  (2) for whom, and may they  (3) is the request sound  (4) sign.</summary>
internal sealed class SigningService(CertificateAuthority authority, ITokenVerifier tokens, IMeshView mesh, ControlPlaneMetrics metrics, Log? log)
{
    public async Task<IstioCertificateResponse> CreateCertificateAsync(IstioCertificateRequest request, GrpcServerCall call)
    {
        metrics.CsrRequests.Increment();

        // (1)
        var (caller, reason) = await tokens.VerifyAsync(call.BearerToken, call.Cancellation);
        if (caller is null)
        {
            metrics.AuthenticationFailures.Increment();
            log?.Warn($"certificate refused to {call.RemoteEndPoint}: {reason}");
            throw new GrpcException(GrpcStatusCode.Unauthenticated, $"request authenticate failure: {reason}");
        }

        // (2)
        var impersonated = request.Metadata?.Fields.TryGetValue("ImpersonatedIdentity", out var value) is true ? value.StringValue : null;
        var identity = Authorizer.Decide(caller, impersonated, mesh.Resources, mesh.TrustDomain, mesh.SystemNamespace, out reason);
        if (identity is null && caller is NodeCaller)
        {
            // The agent may be faster than the document that tells of its new pod.
            await mesh.RefreshAsync();
            identity = Authorizer.Decide(caller, impersonated, mesh.Resources, mesh.TrustDomain, mesh.SystemNamespace, out reason);
        }
        if (identity is not { } granted)
        {
            metrics.AuthenticationFailures.Increment();
            log?.Warn($"certificate refused to {caller.Name}: {reason}");
            throw new GrpcException(GrpcStatusCode.Unauthenticated, $"request impersonation authentication failure: {reason}");
        }

        // (3)
        if (!ReadCsr.TryRead(request.Csr, out var csr, out var fault))
        {
            metrics.CsrParsingErrors.Increment();
            throw new GrpcException(GrpcStatusCode.InvalidArgument, $"CSR sign error: {fault}");
        }

        // (4)
        var chain = authority.Sign(csr, granted, TimeSpan.FromSeconds(Math.Clamp(request.ValidityDuration, 0, (long)TimeSpan.FromDays(36500).TotalSeconds)))
            ?? throw new GrpcException(GrpcStatusCode.InvalidArgument, $"requested TTL {request.ValidityDuration}s is greater than the max allowed TTL");
        metrics.CertificatesIssued.Increment();
        log?.Debug($"certificate for {granted} issued to {caller.Name}");
        var response = new IstioCertificateResponse();
        response.CertChain.AddRange(chain);
        return response;
    }
}

using Google.Protobuf.WellKnownTypes;
using Istio.V1.Auth;
using Mesh.Identity.Certificates;
using Mesh.Model;
using Mesh.Xds.Grpc;

namespace Mesh.Identity.Fetching;

/// <summary>How to speak to the certificate authority.</summary>
public sealed record CaClientOptions
{
    /// <summary>Says on whose behalf a node agent asks. A workload that asks with its own token for itself leaves it away.</summary>
    public required bool Impersonate { get; init; }

    /// <summary>Extra metadata (CA_HEADER_*).</summary>
    public GrpcMetadata Headers { get; init; } = GrpcMetadata.Empty;

    /// <summary>An authority that took the call and never answers must not hold a place for ever.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(60);
}

/// <summary>Istio's <c>IstioCertificateService.CreateCertificate</c>.</summary>
public sealed class CaGrpcClient(GrpcChannel channel, CaClientOptions options) : ICaClient
{
    // The key in the request's metadata by which istiod recognises a node agent.
    private const string ImpersonationKey = "ImpersonatedIdentity";

    public async Task<IReadOnlyList<string>> IssueAsync(SpiffeId id, string csrPem, TimeSpan ttl, CancellationToken cancellation)
    {
        try
        {
            var call = new GrpcCallOptions { Metadata = options.Headers, Timeout = options.CallTimeout };
            var response = await channel.UnaryAsync(GrpcMethods.CreateCertificate, Request(id, csrPem, ttl), call, cancellation);
            return response.CertChain;
        }
        catch (GrpcException e)
        {
            throw new CertificateException(Classify(e), $"the certificate authority at {channel.Options.Address} gave no certificate for {id}: {e.Status}", e);
        }
    }

    private IstioCertificateRequest Request(SpiffeId id, string csrPem, TimeSpan ttl)
    {
        var request = new IstioCertificateRequest { Csr = csrPem, ValidityDuration = (long)ttl.TotalSeconds };
        if (options.Impersonate)
            request.Metadata = new Struct { Fields = { [ImpersonationKey] = Value.ForString(id.ToString()) } };
        return request;
    }

    private static CertificateFailure Classify(GrpcException e) => e.Status.Code switch
    {
        GrpcStatusCode.Unavailable or GrpcStatusCode.DeadlineExceeded or GrpcStatusCode.Cancelled => CertificateFailure.Unreachable,
        _ => e.Phase == GrpcFailurePhase.Transport ? CertificateFailure.Unreachable : CertificateFailure.Refused,
    };
}

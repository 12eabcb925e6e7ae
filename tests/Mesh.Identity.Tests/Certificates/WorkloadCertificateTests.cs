using System.Net;
using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Testing;

namespace Mesh.Identity.Tests.Certificates;

public sealed class WorkloadCertificateTests
{
    private static readonly SpiffeId Id = SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/a");
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void Chain_FromAnAuthority_IsLeafWithKeyAndRoots()
    {
        using var ca = new TestCertificateAuthority(_time);
        using var request = CsrBuilder.Create(Id);

        var certificate = WorkloadCertificate.FromChain(Id, request, ca.Sign(request.Pem, Id));

        Assert.Equal(Id, certificate.Identity);
        Assert.True(certificate.Leaf.HasPrivateKey);
        Assert.Empty(certificate.Intermediates);
        Assert.Equal(ca.Root.RawData, Assert.Single(certificate.Roots).RawData);
    }

    [Fact]
    public void Chain_WithIntermediateAndSeveralRoots_KeepsThemAll()
    {
        using var ca = new TestCertificateAuthority(_time);
        using var other = new TestCertificateAuthority(_time, "second-root");
        using var intermediate = CertificateIssuer.CreateIntermediate(ca.Root, "between", IssueOptions.For(TimeSpan.FromDays(1), TimeSpan.Zero, _time));
        using var request = CsrBuilder.Create(Id);
        Assert.True(ReadCsr.TryRead(request.Pem, out var csr, out _));
        using var leaf = CertificateIssuer.SignWorkload(intermediate, csr, Id, IssueOptions.For(TimeSpan.FromHours(1), TimeSpan.Zero, _time));

        var certificate = WorkloadCertificate.FromChain(Id, request, [leaf.ExportCertificatePem(), intermediate.ExportCertificatePem(), ca.RootPem + "\n" + other.RootPem]);

        Assert.Single(certificate.Intermediates);
        Assert.Equal(2, certificate.Roots.Count);
        Assert.True(new PeerVerifier(_time).VerifyClient(certificate.Leaf, certificate.Intermediates, certificate).IsTrusted);
        Assert.True(new PeerVerifier(_time).VerifyClient(other.Issue(Id).Leaf, null, certificate).IsTrusted);
        Assert.Equal(PeerVerdict.UnknownAuthority, new PeerVerifier(_time).VerifyClient(certificate.Leaf, null, certificate).Verdict);
    }

    [Fact]
    public void Chain_EmptyOrWithoutRoot_IsRefused()
    {
        using var ca = new TestCertificateAuthority(_time);
        using var request = CsrBuilder.Create(Id);
        var chain = ca.Sign(request.Pem, Id);
        Assert.Equal(CertificateFailure.BadResponse, Refusal(request, []));
        Assert.Equal(CertificateFailure.BadResponse, Refusal(request, [chain[0]]));
        Assert.Equal(CertificateFailure.BadResponse, Refusal(request, [chain[0], "no certificate"]));
        Assert.Equal(CertificateFailure.BadResponse, Refusal(request, ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", chain[1]]));
    }

    [Fact]
    public void Chain_ForAnotherIdentityOrKey_IsRefused()
    {
        using var ca = new TestCertificateAuthority(_time);
        using var request = CsrBuilder.Create(Id);
        using var stranger = CsrBuilder.Create(Id);
        Assert.Equal(CertificateFailure.WrongIdentity, Refusal(request, ca.Sign(request.Pem, Id with { ServiceAccount = "b" })));
        Assert.Equal(CertificateFailure.BadResponse, Refusal(request, ca.Sign(stranger.Pem, Id)));
    }

    [Fact]
    public void RefreshTime_IsHalfLife()
    {
        using var ca = new TestCertificateAuthority(_time);
        var certificate = ca.Issue(Id, TimeSpan.FromHours(24));
        Assert.Equal(_time.GetUtcNow() - TimeSpan.FromMinutes(2), certificate.NotBefore);
        Assert.Equal(_time.GetUtcNow() + TimeSpan.FromHours(24), certificate.NotAfter);
        Assert.Equal(certificate.NotBefore + ((certificate.NotAfter - certificate.NotBefore) / 2), certificate.RefreshAt);
    }

    [Fact]
    public void Issuer_NeverSignsBeyondItsOwnEnd()
    {
        using var ca = new TestCertificateAuthority(_time);
        var certificate = ca.Issue(Id, TimeSpan.FromDays(36500));
        Assert.Equal(new DateTimeOffset(ca.Root.NotAfter.ToUniversalTime()), certificate.NotAfter);
    }

    [Fact]
    public void ServerCertificate_NamesHostsAndAddresses()
    {
        using var ca = new TestCertificateAuthority(_time);
        using var server = ca.IssueServer(["istiod.istio-system.svc", "localhost"], [IPAddress.Loopback, IPAddress.IPv6Loopback]);
        Assert.True(server.HasPrivateKey);
        Assert.True(server.MatchesHostname("localhost"));
        Assert.True(server.MatchesHostname("127.0.0.1"));
        Assert.True(server.MatchesHostname("::1"));
        Assert.False(server.MatchesHostname("other.example"));
    }

    [Fact]
    public void KeysAndCertificates_NeverAppearInText()
    {
        using var ca = new TestCertificateAuthority(_time);
        using var request = CsrBuilder.Create(Id);
        var certificate = WorkloadCertificate.FromChain(Id, request, ca.Sign(request.Pem, Id));
        var secret = request.Key.ExportParameters(true).D!;
        string[] forms = [Convert.ToHexString(secret), Convert.ToBase64String(secret)];

        foreach (var text in (string[])[$"{certificate}", $"{request}", $"{Mesh.Identity.Fetching.CertificateResult.Of(certificate)}", $"{new Mesh.Identity.Fetching.CertificateStatus(Id, Mesh.Identity.Fetching.CertificateState.Available, certificate, null)}"])
        {
            Assert.DoesNotContain("BEGIN", text, StringComparison.Ordinal);
            Assert.DoesNotContain("[Private", text, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("[Thumbprint]", text, StringComparison.Ordinal);
            foreach (var form in forms)
                Assert.DoesNotContain(form, text, StringComparison.OrdinalIgnoreCase);
        }

        Assert.Equal("certificate of spiffe://cluster.local/ns/default/sa/a, valid 2025-12-31 23:58:00Z to 2026-01-02 00:00:00Z", certificate.ToString());
    }

    private static CertificateFailure Refusal(CertificateSigningRequest request, IReadOnlyList<string> chain) =>
        Assert.Throws<CertificateException>(() => WorkloadCertificate.FromChain(Id, request, chain)).Failure;
}

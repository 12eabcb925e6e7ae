using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Testing;

namespace Mesh.Identity.Tests.Tls;

public sealed class PeerVerifierTests : IDisposable
{
    private static readonly SpiffeId A = SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/a");
    private static readonly SpiffeId B = SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/b");
    private readonly ManualTimeProvider _time = new();
    private readonly TestCertificateAuthority _ca;
    private readonly WorkloadCertificate _own;
    private readonly Revocations _revocations = new();
    private readonly PeerVerifier _verifier;

    public PeerVerifierTests()
    {
        _ca = new(_time);
        _own = _ca.Issue(A);
        _verifier = new(_time, _revocations);
    }

    public void Dispose() => _ca.Dispose();

    [Fact]
    public void Client_OfTheTrustDomain_IsTrusted_AndItsChainIsKept()
    {
        var peer = _ca.Issue(B);
        var verified = Client(peer);
        Assert.Equal((PeerVerdict.Trusted, B, null), (verified.Verdict, verified.Identity, verified.Detail));
        Assert.Equal([peer.Leaf.Thumbprint, _ca.Root.Thumbprint], verified.Chain!.Select(c => c.Thumbprint));
    }

    [Fact]
    public void Client_BelowAnIntermediate_IsTrustedWhenItSendsIt()
    {
        var peer = _ca.IssueBelowIntermediate(B);
        Assert.Equal(PeerVerdict.UnknownAuthority, _verifier.VerifyClient(peer.Leaf, null, _own).Verdict);
        Assert.True(Client(peer).IsTrusted);
    }

    [Fact]
    public void Client_BadInOneWay_IsRefusedForThat()
    {
        using var other = new TestCertificateAuthority(_time);
        Assert.Equal(PeerVerdict.NoCertificate, _verifier.VerifyClient(null, null, _own).Verdict);
        Assert.Equal(PeerVerdict.UnknownAuthority, Client(other.Issue(B)).Verdict);
        Assert.Equal(PeerVerdict.Expired, Client(_ca.IssueExpired(B)).Verdict);
        Assert.Equal(PeerVerdict.NotYetValid, Client(_ca.IssueNotYetValid(B)).Verdict);
        Assert.Equal(PeerVerdict.WrongUsage, Client(_ca.IssueWithWrongUsage(B)).Verdict);
        Assert.Equal(PeerVerdict.WrongUsage, Client(_ca.IssueWithUsages(B, CertificateIssuer.ServerAuth)).Verdict);
        Assert.Equal(PeerVerdict.NoIdentity, Client(_ca.IssueWithoutSan()).Verdict);
        Assert.Equal(PeerVerdict.NoIdentity, Client(_ca.IssueWithUri("https://cluster.local/ns/default/sa/b")).Verdict);
        Assert.Equal(PeerVerdict.ForeignTrustDomain, Client(_ca.Issue("spiffe://other.domain/ns/default/sa/b")).Verdict);
        Assert.Equal(PeerVerdict.ForeignTrustDomain, Client(_ca.Issue("spiffe://CLUSTER.local/ns/default/sa/b")).Verdict);
    }

    [Fact]
    public void Server_MustBeOneOfTheExpected()
    {
        Assert.True(Server(_ca.Issue(B), A, B).IsTrusted);
        var refused = Server(_ca.Issue(B), A);
        Assert.Equal(PeerVerdict.UnexpectedIdentity, refused.Verdict);
        Assert.Equal(Ending.PeerIdentityMismatch, refused.Ending);
        Assert.Equal("the server is spiffe://cluster.local/ns/default/sa/b, expected spiffe://cluster.local/ns/default/sa/a", refused.Detail);
        Assert.Equal(PeerVerdict.UnexpectedIdentity, Server(_ca.Issue(B)).Verdict); // nobody is expected: nobody is accepted
        Assert.Equal(PeerVerdict.NoIdentity, Server(_ca.IssueWithoutSan(), B).Verdict);
        Assert.Equal(PeerVerdict.WrongUsage, Server(_ca.IssueWithUsages(B, CertificateIssuer.ClientAuth), B).Verdict);
        Assert.Equal(PeerVerdict.Expired, Server(_ca.IssueExpired(B), B).Verdict);
    }

    [Fact]
    public void Server_ExpectedFromElsewhere_MayBeOfAnotherTrustDomain()
    {
        var foreign = SpiffeId.Parse("spiffe://other.domain/ns/default/sa/b");
        Assert.True(Server(_ca.Issue(foreign), foreign).IsTrusted);
    }

    /// <summary>A remembered verdict must not outlive the certificate, a root change or a revocation.</summary>
    [Fact]
    public void RememberedVerdict_EndsWithCertificate_RootsAndRevocation()
    {
        var peer = _ca.Issue(B, TimeSpan.FromHours(1));
        Assert.True(Client(peer).IsTrusted);
        Assert.True(Client(peer).IsTrusted);

        using var other = new TestCertificateAuthority(_time);
        Assert.Equal(PeerVerdict.UnknownAuthority, _verifier.VerifyClient(peer.Leaf, null, _ca.IssueTrusting(A, other)).Verdict);
        Assert.True(_verifier.VerifyClient(peer.Leaf, null, _ca.IssueTrusting(A, other, _ca)).IsTrusted);

        _revocations.Revoke(peer.Leaf);
        Assert.Equal(PeerVerdict.Revoked, Client(peer).Verdict);
        _revocations.Clear();
        Assert.True(Client(peer).IsTrusted);

        _time.Advance(TimeSpan.FromMinutes(61));
        Assert.Equal(PeerVerdict.Expired, Client(peer).Verdict);
    }

    [Fact]
    public void RevokedIntermediate_RefusesTheLeavesBelow()
    {
        var peer = _ca.IssueBelowIntermediate(B);
        _revocations.Revoke(peer.Intermediates[0]);
        Assert.Equal(PeerVerdict.Revoked, Server(peer, B).Verdict);
        Assert.Equal(Ending.CertificateRevoked, Client(peer).Ending);
    }

    [Fact]
    public void RefusedPeer_IsNamedWhereThatIsKnown()
    {
        Assert.Equal(B, Client(_ca.IssueExpired(B)).Identity);
        Assert.Equal("expired: expired on 2025-12-31 23:00:00Z", Client(_ca.IssueExpired(B)).ToString());
        foreach (var verdict in Enum.GetValues<PeerVerdict>())
            Assert.Matches("^[a-z_]+$", PeerVerdictText.Name(verdict));
    }

    private PeerVerification Client(WorkloadCertificate peer) => _verifier.VerifyClient(peer.Leaf, peer.Intermediates, _own);

    private PeerVerification Server(WorkloadCertificate peer, params SpiffeId[] accepted) => _verifier.VerifyServer(peer.Leaf, peer.Intermediates, _own, accepted);

    private sealed class Revocations : IRevocationCheck
    {
        private readonly HashSet<string> _serials = [];

        public long Generation { get; private set; }

        public bool IsRevoked(X509Certificate2 certificate, X509Certificate2 issuer) => _serials.Contains(certificate.SerialNumber);

        public void Revoke(X509Certificate2 certificate)
        {
            _serials.Add(certificate.SerialNumber);
            Generation++;
        }

        public void Clear()
        {
            _serials.Clear();
            Generation++;
        }
    }
}

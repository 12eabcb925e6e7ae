using System.Numerics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Testing;

namespace Mesh.Identity.Tests.Tls;

public sealed class RevocationListTests : IDisposable
{
    private readonly TestCertificateAuthority _authority = new();
    private readonly WorkloadCertificate _good;
    private readonly WorkloadCertificate _bad;

    public RevocationListTests()
    {
        _good = _authority.Issue(new SpiffeId("cluster.local", "ns", "good"));
        _bad = _authority.Issue(new SpiffeId("cluster.local", "ns", "bad"));
    }

    public void Dispose() => _authority.Dispose();

    private static byte[] ListOf(X509Certificate2 issuer, params X509Certificate2[] revoked)
    {
        var builder = new CertificateRevocationListBuilder();
        foreach (var certificate in revoked)
            builder.AddEntry(certificate);
        // Long over: a list that was not renewed still counts.
        return builder.Build(issuer, BigInteger.One, DateTimeOffset.UnixEpoch.AddDays(2), HashAlgorithmName.SHA256, thisUpdate: DateTimeOffset.UnixEpoch);
    }

    [Fact]
    public void Certificate_OnTheList_IsRevoked_OthersAreNot()
    {
        var list = new RevocationList();
        Assert.Null(list.Replace(ListOf(_authority.Root, _bad.Leaf)));
        Assert.Equal(1, list.Count);
        Assert.True(list.IsRevoked(_bad.Leaf, _authority.Root));
        Assert.True(list.IsRevokedNow(_bad.Leaf));
        Assert.False(list.IsRevoked(_good.Leaf, _authority.Root));
    }

    [Fact]
    public void List_InPemWithOtherBlocks_IsRead()
    {
        var pem = _authority.RootPem + "\n" + PemEncoding.WriteString("X509 CRL", ListOf(_authority.Root, _bad.Leaf)) + "\n" + PemEncoding.WriteString("X509 CRL", ListOf(_authority.Root, _good.Leaf));
        var list = new RevocationList();
        Assert.Null(list.Replace(System.Text.Encoding.ASCII.GetBytes(pem)));
        Assert.True(list.IsRevoked(_bad.Leaf, _authority.Root));
        Assert.True(list.IsRevoked(_good.Leaf, _authority.Root));
    }

    [Fact]
    public void List_OfAnotherAuthorityWithTheSameName_RevokesNothing()
    {
        using var impostor = new TestCertificateAuthority();
        var list = new RevocationList();
        Assert.Null(list.Replace(ListOf(impostor.Root, _bad.Leaf)));
        Assert.False(list.IsRevoked(_bad.Leaf, _authority.Root));
    }

    [Fact]
    public void Content_ThatIsNoList_IsRefused_AndTheOldListStays()
    {
        var list = new RevocationList();
        list.Replace(ListOf(_authority.Root, _bad.Leaf));
        var generation = list.Generation;
        Assert.NotNull(list.Replace("nonsense"u8));
        Assert.NotNull(list.Replace([0x30, 0x03, 0x02, 0x01, 0x01]));
        Assert.Equal(generation, list.Generation);
        Assert.True(list.IsRevoked(_bad.Leaf, _authority.Root));
    }

    [Fact]
    public void EmptyContent_RevokesNothing()
    {
        var list = new RevocationList();
        list.Replace(ListOf(_authority.Root, _bad.Leaf));
        Assert.Null(list.Replace([]));
        Assert.False(list.IsRevoked(_bad.Leaf, _authority.Root));
        Assert.Equal(2, list.Generation);
    }

    [Fact]
    public void Verifier_WithTheList_RefusesTheCertificate_AlsoOneItHasAcceptedBefore()
    {
        var list = new RevocationList();
        var verifier = new PeerVerifier(TimeProvider.System, list);
        Assert.True(verifier.VerifyClient(_bad.Leaf, null, _good).IsTrusted);
        list.Replace(ListOf(_authority.Root, _bad.Leaf));
        Assert.Equal(PeerVerdict.Revoked, verifier.VerifyClient(_bad.Leaf, null, _good).Verdict);
    }
}

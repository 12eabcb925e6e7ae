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

    [Fact]
    public void Certificate_OnTheList_IsRevoked_OthersAreNot()
    {
        var list = new RevocationList();
        Assert.Null(list.Replace(_authority.Revoke(_bad.Leaf)));
        Assert.Equal(1, list.Count);
        Assert.True(list.IsRevoked(_bad.Leaf, _authority.Root));
        Assert.True(list.IsRevokedNow([_bad.Leaf, _authority.Root]));
        Assert.False(list.IsRevoked(_good.Leaf, _authority.Root));
    }

    [Fact]
    public void List_InPemWithOtherBlocks_IsRead()
    {
        var pem = _authority.RootPem + "\n" + PemEncoding.WriteString("X509 CRL", _authority.Revoke(_bad.Leaf)) + "\n" + PemEncoding.WriteString("X509 CRL", _authority.Revoke(_good.Leaf));
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
        Assert.Null(list.Replace(impostor.Revoke(_bad.Leaf)));
        Assert.False(list.IsRevoked(_bad.Leaf, _authority.Root));
    }

    [Fact]
    public void Content_ThatIsNoList_IsRefused_AndTheOldListStays()
    {
        var list = new RevocationList();
        list.Replace(_authority.Revoke(_bad.Leaf));
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
        list.Replace(_authority.Revoke(_bad.Leaf));
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
        list.Replace(_authority.Revoke(_bad.Leaf));
        Assert.Equal(PeerVerdict.Revoked, verifier.VerifyClient(_bad.Leaf, null, _good).Verdict);
    }

    [Fact]
    public void Intermediate_OnTheList_RevokesEverythingBelowIt_AlsoPeersThatAreConnectedAlready()
    {
        var list = new RevocationList();
        var peer = _authority.IssueBelowIntermediate(_bad.Identity);
        var connected = new PeerVerifier(TimeProvider.System, list).VerifyClient(peer.Leaf, [.. peer.Intermediates], _good);
        Assert.Equal(3, connected.Chain!.Count);
        Assert.False(list.IsRevokedNow(connected.Chain));
        list.Replace(_authority.Revoke(peer.Intermediates[0]));
        Assert.True(list.IsRevokedNow(connected.Chain));
        Assert.False(list.IsRevokedNow([_good.Leaf, _authority.Root]));
    }
}

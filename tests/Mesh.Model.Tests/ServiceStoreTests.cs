using System.Net;
using Mesh.Model.Workloads;
using static Mesh.Model.Tests.TestMesh;

namespace Mesh.Model.Tests;

public sealed class ServiceStoreTests
{
    private readonly MeshSnapshot _empty = MeshSnapshot.Empty();

    [Fact]
    public void SharedVip_ClientsNamespaceThenCanonicalThenFirst()
    {
        var snapshot = _empty.With(Service("a", "ns1", "/10.1.0.1"), Service("a", "ns2", "/10.1.0.1"), Service("a", "ns3", "/10.1.0.1"));
        Assert.Equal("ns2", Vip(snapshot, "10.1.0.1", "ns2")?.Namespace);
        Assert.Equal("ns1", Vip(snapshot, "10.1.0.1", "elsewhere")?.Namespace);
        Assert.Equal("ns1", Vip(snapshot, "10.1.0.1", null)?.Namespace);

        var canonical = snapshot.With(Service("a", "ns2", "/10.1.0.1") with { Canonical = true }, Service("a", "ns3", "/10.1.0.1") with { Canonical = true });
        Assert.Equal("ns3", Vip(canonical, "10.1.0.1", "elsewhere")?.Namespace);
        Assert.Equal("ns1", Vip(canonical, "10.1.0.1", "ns1")?.Namespace);
        Assert.Equal("ns1", Vip(canonical.Without("ns3/a", "ns2/a"), "10.1.0.1", "elsewhere")?.Namespace);
    }

    [Fact]
    public void PrivateService_IsSeenInItsNamespaceOnly()
    {
        var hidden = Service("a", "ns1", "/10.1.0.1") with { Visibility = ServiceVisibility.Namespace };
        var snapshot = _empty.With(hidden);
        Assert.Equal(hidden, Vip(snapshot, "10.1.0.1", "ns1"));
        Assert.Null(Vip(snapshot, "10.1.0.1", "ns2"));
        Assert.Null(Vip(snapshot, "10.1.0.1", null));
        Assert.Equal(hidden, snapshot.FindServiceByHost("a", "ns1"));
        Assert.Null(snapshot.FindServiceByHost("a", "ns2"));
    }

    [Fact]
    public void HiddenExactVip_FallsThroughToTheBlock()
    {
        var snapshot = _empty.With(
            Service("exact", "ns1", "/10.1.0.1") with { Visibility = ServiceVisibility.Namespace },
            Service("block", "ns2", "/10.1.0.0/16"));
        Assert.Equal("exact", Vip(snapshot, "10.1.0.1", "ns1")?.Hostname);
        Assert.Equal("block", Vip(snapshot, "10.1.0.1", "ns3")?.Hostname);
    }

    [Theory]
    [InlineData("10.1.0.0/16", "10.1.2.3", true)]
    [InlineData("10.1.0.0/16", "10.2.2.3", false)]
    [InlineData("10.1.0.0/16", "2001:db8::1", false)]
    [InlineData("2001:db8::/32", "2001:db8::1", true)]
    [InlineData("2001:db8::/32", "2001:db9::1", false)]
    [InlineData("2001:db8::/32", "10.1.2.3", false)]
    public void Block_MatchesItsFamilyAndRange(string block, string address, bool found) =>
        Assert.Equal(found, Vip(_empty.With(Service("a", "ns1", "/" + block)), address, null) is not null);

    [Theory]
    [InlineData("10.0.0.0/8", "10.1.0.0/16", "10.1.1.1", "long")]
    [InlineData("10.0.0.0/8", "10.1.0.0/16", "10.2.1.1", "short")]
    [InlineData("2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::1", "long")]
    [InlineData("2001:db8::/32", "2001:db8:1::/48", "2001:db8:2::1", "short")]
    public void OverlappingBlocks_LongestWins(string shortBlock, string longBlock, string address, string expected)
    {
        var snapshot = _empty.With(Service("long", "ns1", "/" + longBlock), Service("short", "ns1", "/" + shortBlock));
        Assert.Equal(expected, Vip(snapshot, address, null)?.Hostname);
    }

    [Theory]
    [InlineData("10.1.0.1", "10.1.0.0/16")]
    [InlineData("2001:db8::1", "2001:db8::/32")]
    public void ExactAddress_BeatsBlock(string vip, string block)
    {
        var snapshot = _empty.With(Service("block", "ns1", "/" + block), Service("exact", "ns2", "/" + vip));
        Assert.Equal("exact", Vip(snapshot, vip, "ns1")?.Hostname);
    }

    [Fact]
    public void DualStackBlocks_AndExactOfOneFamilyWithBlockOfTheOther_BothMatch()
    {
        var dual = _empty.With(Service("dual", "ns1", "/10.1.0.0/16", "/2001:db8::/32"), Service("mixed", "ns1", "/10.9.0.1", "/2001:db9::/32"));
        Assert.Equal("dual", Vip(dual, "10.1.1.1", null)?.Hostname);
        Assert.Equal("dual", Vip(dual, "2001:db8::1", null)?.Hostname);
        Assert.Equal("mixed", Vip(dual, "10.9.0.1", null)?.Hostname);
        Assert.Equal("mixed", Vip(dual, "2001:db9::7", null)?.Hostname);
    }

    [Fact]
    public void Block_IsOfOneNetwork()
    {
        var snapshot = _empty.With(Service("a", "ns1", "net1/10.1.0.0/16"));
        Assert.NotNull(snapshot.FindService("net1", IPAddress.Parse("10.1.1.1"), null));
        Assert.Null(snapshot.FindService("net2", IPAddress.Parse("10.1.1.1"), null));
    }

    [Fact]
    public void Block_WhenItsServiceGoesOrChanges_IsGone()
    {
        var snapshot = _empty.With(Service("a", "ns1", "/10.1.0.0/16"), Service("b", "ns2", "/10.1.0.0/16"));
        Assert.Equal("b", Vip(snapshot.Without("ns1/a"), "10.1.1.1", null)?.Hostname);
        Assert.Null(Vip(snapshot.Without("ns1/a", "ns2/b"), "10.1.1.1", null));
        Assert.Equal("a", Vip(snapshot.With(Service("b", "ns2", "/10.2.0.0/16")), "10.1.1.1", null)?.Hostname);
    }

    [Fact]
    public void OverlappingBlocks_ClientsNamespaceBeatsLongerPrefix_CanonicalDecidesAmongEquals()
    {
        var snapshot = _empty.With(Service("short", "ns1", "/10.0.0.0/8"), Service("long", "ns2", "/10.1.0.0/16"));
        Assert.Equal("short", Vip(snapshot, "10.1.1.1", "ns1")?.Hostname);
        Assert.Equal("long", Vip(snapshot, "10.1.1.1", "ns2")?.Hostname);
        Assert.Equal("long", Vip(snapshot, "10.1.1.1", "ns3")?.Hostname);

        var equal = _empty.With(Service("a", "ns1", "/10.1.0.0/16") with { Canonical = true }, Service("b", "ns2", "/10.1.0.0/16"));
        Assert.Equal("a", Vip(equal, "10.1.1.1", "ns3")?.Hostname);
        Assert.Equal("b", Vip(equal, "10.1.1.1", "ns2")?.Hostname);
    }

    [Fact]
    public void Hostname_OwnNamespaceThenCanonicalThenPreferredThenFirst()
    {
        var snapshot = _empty.With(Service("a", "ns1"), Service("a", "ns2"), Service("a", "ns3"));
        Assert.Equal("ns2", snapshot.FindServiceByHost("a", "ns2", "ns3")?.Namespace);
        Assert.Equal("ns3", snapshot.FindServiceByHost("a", "x", "ns3")?.Namespace);
        Assert.Equal("ns1", snapshot.FindServiceByHost("a", "x")?.Namespace);
        Assert.Equal("ns2", snapshot.With(Service("a", "ns2") with { Canonical = true }).FindServiceByHost("a", "x", "ns3")?.Namespace);
        Assert.Equal(3, snapshot.ServicesByHost("a").Length);
        Assert.Null(snapshot.FindServiceByHost("b", "ns1"));
    }

    private static Service? Vip(MeshSnapshot snapshot, string address, string? ns) => snapshot.FindService("", IPAddress.Parse(address), ns);
}

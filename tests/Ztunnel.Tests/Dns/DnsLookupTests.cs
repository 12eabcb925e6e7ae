using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Dns;

namespace Mesh.Ztunnel.Tests.Dns;

/// <summary>Which names of the mesh are answered, and with what.</summary>
public sealed class DnsLookupTests
{
    private const string Domain = "cluster.local";

    private static readonly Workload Client = MeshWorld.Hbone("client", "127.0.0.1");

    private static DnsAnswer? Find(MeshWorld world, string name, ushort type = DnsType.A, bool ipv6 = true) =>
        new DnsLookup("", Domain, null, ipv6).Find(world.With(Client).Snapshot(), Client, name, type, new Random(1));

    private static MeshWorld World() => new MeshWorld().With(MeshWorld.Service("svc", "10.0.0.1", (80, 80)));

    private static string[] Texts(DnsAnswer? answer) => answer is null ? ["forwarded"] : [.. answer.Records.Select(r => $"{r.Name} {DnsType.Text(r.Type)} {r.Target ?? r.Address!.ToString()}")];

    [Theory]
    [InlineData("svc.ns1.svc.cluster.local")]
    [InlineData("svc")]
    [InlineData("svc.ns1")]
    [InlineData("svc.ns1.svc")]
    public void Name_InAnyOfItsForms_IsAnsweredUnderTheNameThatWasAsked(string name) => Assert.Equal([$"{name} A 10.0.0.1"], Texts(Find(World(), name)));

    [Fact]
    public void Name_WithASearchDomain_IsAnAliasOfTheNameWithoutIt() => Assert.Equal(
        ["svc.ns1.svc.cluster.local.ns1.svc.cluster.local CNAME svc.ns1.svc.cluster.local", "svc.ns1.svc.cluster.local A 10.0.0.1"],
        Texts(Find(World(), "svc.ns1.svc.cluster.local.ns1.svc.cluster.local")));

    [Theory]
    [InlineData("nosuch")]
    [InlineData("svc.other.svc.cluster.local")]
    [InlineData("example.com")]
    public void Name_OfTheOutsideWorld_IsForwarded(string name) => Assert.Null(Find(World(), name));

    [Fact]
    public void Type_ThatIsNotOurs_IsForwarded() => Assert.Null(Find(World(), "svc", 16));

    [Fact]
    public void FamilyWithoutAddress_IsAnEmptyAnswer_NeverNoSuchName()
    {
        Assert.Empty(Find(World(), "svc", DnsType.Aaaa)!.Records);
        var v4Only = new MeshWorld().With(MeshWorld.Service("svc", "10.0.0.1", (80, 80)) with { IpFamilies = IpFamilies.IPv4 });
        Assert.Equal(DnsLookup.Unsupported, Find(v4Only, "svc", DnsType.Aaaa)!.Result);
    }

    [Fact]
    public void ServiceOfAnotherNamespace_ThatIsPrivate_IsNotSeen()
    {
        var other = MeshWorld.Service("svc", "10.0.0.1", (80, 80)) with { Namespace = "other", Hostname = "svc.other.svc.cluster.local" };
        Assert.NotNull(Find(new MeshWorld().With(other), "svc.other"));
        Assert.Null(Find(new MeshWorld().With(other with { Visibility = ServiceVisibility.Namespace }), "svc.other"));
    }

    [Fact]
    public void Wildcard_AnswersUnderTheNameThatWasAsked()
    {
        var wild = MeshWorld.Service("wild", "10.0.0.9", (80, 80)) with { Hostname = "*.example.com" };
        Assert.Equal(["a.b.example.com A 10.0.0.9"], Texts(Find(new MeshWorld().With(wild), "a.b.example.com")));
    }

    [Fact]
    public void HeadlessService_AnswersWithItsEndpoints_ButOnlyInTheCluster()
    {
        var world = new MeshWorld()
            .With(MeshWorld.Workload("a", "10.1.0.1", "::1") with { Services = [MeshWorld.In("ns1/headless.ns1.svc.cluster.local")] })
            .With(MeshWorld.Service("headless", "", (80, 80)), MeshWorld.Service("outside", "", (80, 80)) with { Hostname = "outside.example" });
        Assert.Equal(["headless A 10.1.0.1"], Texts(Find(world, "headless")));
        Assert.Equal(["headless AAAA ::1"], Texts(Find(world, "headless", DnsType.Aaaa)));
        Assert.Null(Find(world, "outside.example"));
    }

    [Fact]
    public void ServiceOfTheClientsNamespace_WinsOverTheCanonicalOne()
    {
        var own = MeshWorld.Service("x", "10.0.0.1", (80, 80)) with { Hostname = "x.example" };
        var canonical = own with { Namespace = "other", Vips = [new NetworkAddress("", System.Net.IPAddress.Parse("10.0.0.2"))], Canonical = true };
        var plain = canonical with { Namespace = "third", Canonical = false, Vips = [new NetworkAddress("", System.Net.IPAddress.Parse("10.0.0.3"))] };
        Assert.Equal(["x.example A 10.0.0.1"], Texts(Find(new MeshWorld().With(plain, canonical, own), "x.example")));
        Assert.Equal(["x.example A 10.0.0.2"], Texts(Find(new MeshWorld().With(plain, canonical), "x.example")));
    }

    [Fact]
    public void PodOfAHeadlessService_HasANameOfItsOwn()
    {
        var world = new MeshWorld()
            .With(MeshWorld.Workload("web-0", "10.1.0.1") with { Services = [MeshWorld.In("ns1/web.ns1.svc.cluster.local")] },
                MeshWorld.Workload("web-1", "10.1.0.2") with { Services = [MeshWorld.In("ns1/web.ns1.svc.cluster.local")] })
            .With(MeshWorld.Service("web", "", (80, 80)));
        Assert.Equal(["web-1.web.ns1.svc.cluster.local A 10.1.0.2"], Texts(Find(world, "web-1.web.ns1.svc.cluster.local")));
        Assert.Empty(Find(world, "web-1.web.ns1.svc.cluster.local", DnsType.Aaaa)!.Records);
        Assert.Null(Find(world, "web-7.web.ns1.svc.cluster.local"));
    }

    [Theory]
    [InlineData("1.0.0.10.in-addr.arpa", "svc.ns1.svc.cluster.local")]
    [InlineData("5.0.1.10.in-addr.arpa", "web-0.web.ns1.svc.cluster.local")]
    [InlineData("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", "six.ns1.svc.cluster.local")]
    [InlineData("9.9.9.9.in-addr.arpa", null)]
    [InlineData("0.10.in-addr.arpa", null)]
    [InlineData("x.0.0.10.in-addr.arpa", null)]
    public void Address_OfTheMesh_HasAName(string name, string? expected)
    {
        var world = World()
            .With(MeshWorld.Workload("web-0", "10.1.0.5") with { Services = [MeshWorld.In("ns1/web.ns1.svc.cluster.local")] })
            .With(MeshWorld.Service("web", "", (80, 80)), MeshWorld.Service("six", "fd00::1", (80, 80)));
        Assert.Equal(expected, Find(world, name, DnsType.Ptr)?.Records[0].Target);
    }

    [Theory]
    [InlineData("a", "a.ns.svc.d")]
    [InlineData("a.b", "a.b.svc.d|a.b.ns.svc.d")]
    [InlineData("a.b.svc", "a.b.svc.d|a.b.svc.svc.d")]
    [InlineData("a.b.c", "a.b.c.svc.d")]
    [InlineData("a.b.c.svc", "a.b.c.svc.d")]
    [InlineData("a.b.c.d", "")]
    [InlineData("a.b.c.d.e", "")]
    public void KubernetesExpansions_GoByTheNumberOfLabels(string name, string expected) =>
        Assert.Equal(expected, string.Join('|', DnsAliases.KubernetesExpansions(name, "ns", "d")));

    [Fact]
    public void Wildcards_ReplaceLabelsFromTheLeft() => Assert.Equal(["*.b.c", "*.c"], DnsAliases.Wildcards("a.b.c"));
}

using System.Net;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Mesh.Model.Collections;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using static Mesh.Model.Tests.TestMesh;

namespace Mesh.Model.Tests;

/// <summary>Any sequence of batches gives what a plain list of the end state gives when it is searched in the simplest way.</summary>
public sealed class SnapshotModelTests
{
    private static readonly string[] Namespaces = ["ns1", "ns2", "ns3"];
    private static readonly string[] Networks = ["", "net1"];
    private static readonly string[] Addresses = ["10.0.0.1", "10.0.0.2", "10.1.0.1", "2001:db8::1", "2001:db8:1::1"];
    private static readonly string[] Blocks = ["10.0.0.0/8", "10.0.0.0/30", "10.0.0.0/16", "10.1.0.0/16", "2001:db8::/32", "2001:db8:1::/48", "0.0.0.0/0"];
    private static readonly string[] Hosts = ["a.example", "b.example"];
    private static readonly string[] Uids = ["c//Pod/ns1/p1", "c//Pod/ns1/p2", "vm1", "vm2"];

    [Property(MaxTest = 300)]
    public Property Snapshot_AfterAnyBatches_AnswersAsThePlainModel() =>
        Prop.ForAll(Change.ArrayOf().ArrayOf().ToArbitrary(), batches =>
        {
            var state = new MeshState("n1");
            var model = new PlainMesh();
            foreach (var batch in batches)
            {
                state.Apply(builder =>
                {
                    foreach (var change in batch)
                        change(builder, model);
                });
            }

            Compare(state.Current, model);
        });

    private static Gen<Action<MeshSnapshotBuilder, PlainMesh>> Change => Gen.OneOf(
        AnyWorkload.Select<Workload, Action<MeshSnapshotBuilder, PlainMesh>>(w => (b, m) => { b.Upsert(w); m.Upsert(w); }),
        AnyService.Select<Service, Action<MeshSnapshotBuilder, PlainMesh>>(s => (b, m) => { b.Upsert(s); m.Upsert(s); }),
        AnyPolicy.Select<AuthorizationPolicy, Action<MeshSnapshotBuilder, PlainMesh>>(p => (b, m) => { b.UpsertPolicy(p.Name, p); m.Upsert(p); }),
        Gen.Elements("p1", "p2", "p3").Select<string, Action<MeshSnapshotBuilder, PlainMesh>>(n => (b, m) => Assert.Equal(m.RemovePolicy(n), b.RemovePolicy(n))),
        Gen.Elements(Uids.Concat(Namespaces.SelectMany(n => Hosts.Select(h => $"{n}/{h}"))))
            .Select<string, Action<MeshSnapshotBuilder, PlainMesh>>(n => (b, m) => Assert.Equal(m.RemoveAddress(n), b.RemoveAddress(n))));

    private static Gen<Workload> AnyWorkload =>
        from uid in Gen.Elements(Uids)
        from ns in Gen.Elements(Namespaces)
        from network in Gen.Elements(Networks)
        from addresses in Gen.SubListOf(Addresses)
        from flags in Gen.Choose(0, 31)
        from services in Gen.SubListOf(Namespaces.SelectMany(n => Hosts.Select(h => $"{n}/{h}")).ToArray())
        select new Workload
        {
            Uid = uid,
            Name = uid[^2..],
            Namespace = ns,
            Network = network,
            Addresses = addresses.Select(IPAddress.Parse).ToValueList(),
            Protocol = (flags & 1) != 0 ? TunnelProtocol.Hbone : TunnelProtocol.Tcp,
            NetworkMode = (flags & 6) == 6 ? NetworkMode.HostNetwork : NetworkMode.Standard,
            Status = (flags & 8) != 0 ? HealthStatus.Unhealthy : HealthStatus.Healthy,
            Node = (flags & 16) != 0 ? "n1" : "n2",
            Hostname = (flags & 2) != 0 ? "w.example" : "",
            Services = services.Select(s => Member(s)).ToValueList(),
        };

    private static Gen<Service> AnyService =>
        from ns in Gen.Elements(Namespaces)
        from host in Gen.Elements(Hosts)
        from network in Gen.Elements(Networks)
        from vips in Gen.SubListOf(Addresses)
        from blocks in Gen.SubListOf(Blocks)
        from flags in Gen.Choose(0, 7)
        select new Service
        {
            Namespace = ns,
            Hostname = host,
            Vips = vips.Select(v => new NetworkAddress(network, IPAddress.Parse(v))).ToValueList(),
            CidrVips = blocks.Select(b => new NetworkPrefix(network, IpPrefix.Parse(b))).ToValueList(),
            Canonical = (flags & 1) != 0,
            Visibility = (flags & 2) != 0 ? ServiceVisibility.Namespace : ServiceVisibility.Public,
            LoadBalancer = (flags & 4) != 0 ? new() { HealthPolicy = HealthPolicy.AllowAll } : null,
        };

    private static Gen<AuthorizationPolicy> AnyPolicy =>
        from name in Gen.Elements("p1", "p2", "p3")
        from ns in Gen.Elements(Namespaces)
        from scope in Gen.Elements(PolicyScope.Global, PolicyScope.Namespace, PolicyScope.WorkloadSelector)
        select new AuthorizationPolicy { Name = name, Namespace = ns, Scope = scope };

    private static void Compare(MeshSnapshot snapshot, PlainMesh model)
    {
        foreach (var network in Networks)
        {
            foreach (var address in Addresses.Append("10.0.0.3").Append("192.0.2.1").Select(IPAddress.Parse))
            {
                Assert.Equal(model.FindWorkload(network, address), snapshot.FindWorkload(network, address));
                foreach (var ns in Namespaces.Append(null).Append("elsewhere"))
                    Assert.Equal(model.FindService(network, address, ns), snapshot.FindService(network, address, ns));
            }
        }

        foreach (var ns in Namespaces)
        {
            Assert.Equal(model.Workloads.LastOrDefault(w => w.Namespace == ns && w.Hostname == "w.example"), snapshot.FindWorkloadByHostname(new(ns, "w.example")));
            foreach (var host in Hosts)
            {
                Assert.Equal(model.FindByHost(host, ns, "ns3"), snapshot.FindServiceByHost(host, ns, "ns3"));
                var service = model.Services.SingleOrDefault(s => s.Key == new NamespacedHostname(ns, host));
                var members = model.Workloads.Where(w => w.Services.Any(m => m.Service == new NamespacedHostname(ns, host))).Select(w => w.Uid);
                var staged = snapshot.StagedEndpoints.SingleOrDefault(p => p.Key == new NamespacedHostname(ns, host)).Value;
                var entry = snapshot.FindEndpoints(new(ns, host));
                Assert.Equal(service, entry?.Service);
                Assert.Equal(members.Order(StringComparer.Ordinal), (service is null ? staged?.Keys : entry!.Members.Keys)?.Order(StringComparer.Ordinal) ?? Enumerable.Empty<string>());
                Assert.True(service is null || staged is null);
            }

            Assert.Equal(
                model.Workloads.Where(w => w.Node == "n1" && w.Namespace == ns).Select(w => w.Uid).Order(StringComparer.Ordinal),
                snapshot.LocalWorkloads(ns, Workload.DefaultServiceAccount).Keys.Order(StringComparer.Ordinal));
            foreach (var name in Uids.Select(u => u[^2..]))
                Assert.Equal(model.Workloads.Find(w => w.Node == "n1" && w.Namespace == ns && w.Name == name), snapshot.FindLocalWorkload(ns, name, Workload.DefaultServiceAccount));
        }

        foreach (var ns in Namespaces.Append(""))
            Assert.Equal(model.PoliciesOf(ns), snapshot.PoliciesOfNamespace(ns).ToArray());
        Assert.Equal(model.Workloads.Count, snapshot.Workloads.Count);
        Assert.Equal(model.Services.Count, snapshot.Services.Count);
        Assert.Equal(model.Policies.Count, snapshot.Policies.Count);
    }
}

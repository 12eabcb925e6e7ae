using System.Net;
using Mesh.Model.Collections;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;

namespace Mesh.Model.Tests;

/// <summary>Short ways to write the things tests talk about.</summary>
internal static class TestMesh
{
    public static Workload Pod(string name, string address = "10.0.0.1", string ns = "default", params string[] services) => new()
    {
        Uid = $"cluster1//Pod/{ns}/{name}",
        Name = name,
        Namespace = ns,
        Addresses = [IPAddress.Parse(address)],
        Protocol = TunnelProtocol.Hbone,
        Services = services.Select(s => Member(s)).ToValueList(),
    };

    public static ServiceMembership Member(string key, params (int Port, int Target)[] ports) =>
        NamespacedHostname.TryParse(key, out var name) ? new(name, PortMap.Of(ports)) : throw new ArgumentException(key);

    public static Service Service(string host, string ns = "default", params string[] vips) => new()
    {
        Name = host,
        Namespace = ns,
        Hostname = host,
        Ports = PortMap.Of((80, 8080)),
        Vips = vips.Where(v => v.Count(c => c == '/') == 1).Select(Address).ToValueList(),
        CidrVips = vips.Where(v => v.Count(c => c == '/') == 2).Select(Block).ToValueList(),
    };

    public static NetworkAddress Address(string text) => NetworkAddress.TryParse(text, out var address) ? address : throw new ArgumentException(text);

    public static NetworkPrefix Block(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        return new(text[..slash], IpPrefix.Parse(text[(slash + 1)..]));
    }

    public static NamespacedHostname Key(string text) => NamespacedHostname.TryParse(text, out var key) ? key : throw new ArgumentException(text);

    public static AuthorizationPolicy APolicy(string name, PolicyAction action, PolicyScope scope = PolicyScope.Namespace, string ns = "default", params PolicyMatch[] matches) => new()
    {
        Name = name,
        Namespace = ns,
        Scope = scope,
        Action = action,
        Rules = [new([new(matches.ToValueList())])],
    };

    public static MeshSnapshot With(this MeshSnapshot snapshot, params object[] resources) => snapshot.Change(builder =>
    {
        foreach (var resource in resources)
        {
            if (resource is Workload workload)
                builder.Upsert(workload);
            else if (resource is Service service)
                builder.Upsert(service);
            else if (resource is AuthorizationPolicy policy)
                builder.UpsertPolicy(policy.QualifiedName, policy);
            else
                throw new ArgumentException($"{resource}");
        }
    });

    public static MeshSnapshot Without(this MeshSnapshot snapshot, params string[] names) => snapshot.Change(builder =>
    {
        foreach (var name in names)
            Assert.True(builder.RemoveAddress(name), name);
    });

    public static MeshSnapshot Change(this MeshSnapshot snapshot, Action<MeshSnapshotBuilder> change)
    {
        var builder = new MeshSnapshotBuilder(snapshot);
        change(builder);
        return builder.ToSnapshot();
    }
}

using System.Net;
using System.Text;

using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Topology;

/// <summary>Makes and removes the namespaces and links of a mesh. Runs in the daemon's own network namespace, which is the switch between the nodes.</summary>
/// <remarks>
/// <code>
///   switch (the daemon's namespace)   mesh0 198.18.0.1/24 ── control 198.18.0.2 (istiod-lite)
///      ├── uplink of node-1 198.18.0.11 ── node-1: pods 198.18.1.1/24 ── eth0 of each pod 198.18.1.k
///      └── uplink of node-2 198.18.0.12 ── node-2: pods 198.18.2.1/24 ── ...
/// </code>
/// Nothing is linked to the host, so two meshes can never collide. All of it goes away with the namespaces.
/// </remarks>
internal static class NetworkBuilder
{
    public const string ControlNamespace = "control";

    public static string PathOf(string networkNamespace) => $"/run/netns/{networkNamespace}";

    public static async Task BuildAsync(int nodes, CancellationToken cancel)
    {
        await BatchAsync(null,
            $"""
            link set lo up
            link add mesh0 type bridge
            addr add {AddressPlan.Switch}/24 dev mesh0
            link set mesh0 up
            """, cancel);
        await AddNamespaceAsync(ControlNamespace, forward: false, cancel);
        await BatchAsync(null, $"link add control type veth peer name eth0 netns {ControlNamespace}\nlink set control master mesh0 up", cancel);
        await BatchAsync(ControlNamespace, $"link set lo up\naddr add {AddressPlan.ControlPlane}/24 dev eth0\nlink set eth0 up\nroute add default via {AddressPlan.Switch}", cancel);
        await SetAsync(null, ["net.ipv4.ip_forward=1"], cancel);

        for (var node = 1; node <= nodes; node++)
            await BuildNodeAsync(node, nodes, cancel);
    }

    public static async Task AddPodAsync(string networkNamespace, int node, IPAddress address, CancellationToken cancel)
    {
        var nodeNamespace = AddressPlan.NodeName(node);
        var link = $"pod{address.GetAddressBytes()[3]}";
        await AddNamespaceAsync(networkNamespace, forward: false, cancel);
        await BatchAsync(nodeNamespace, $"link add {link} type veth peer name eth0 netns {networkNamespace}\nlink set {link} master pods up", cancel);
        await BatchAsync(networkNamespace, $"link set lo up\naddr add {address}/24 dev eth0\nlink set eth0 up\nroute add default via {AddressPlan.Node(node)}", cancel);
    }

    /// <summary>Removes a pod's namespace; its link goes with it as soon as the last process and socket in it are gone.</summary>
    public static async Task RemovePodAsync(string networkNamespace, int node, IPAddress address, CancellationToken cancel)
    {
        // The veth is removed by name because a socket that the node agent still holds would keep the namespace, and with it the address, alive.
        await Tool.RunAsync([Ip, "-n", AddressPlan.NodeName(node), "link", "del", $"pod{address.GetAddressBytes()[3]}"], cancel: cancel);
        await Tool.RunAsync([Ip, "netns", "del", networkNamespace], cancel: cancel);
    }

    private static string Ip => Tool.Find("ip") ?? "ip";

    private static async Task BuildNodeAsync(int node, int nodes, CancellationToken cancel)
    {
        var name = AddressPlan.NodeName(node);
        await AddNamespaceAsync(name, forward: true, cancel);
        await BatchAsync(null,
            $"""
            link add {name} type veth peer name uplink netns {name}
            link set {name} master mesh0 up
            route add {AddressPlan.NodePrefix(node)} via {AddressPlan.Uplink(node)}
            """, cancel);

        var inside = new StringBuilder(
            $"""
            link set lo up
            addr add {AddressPlan.Uplink(node)}/24 dev uplink
            link set uplink up
            link add pods type bridge
            addr add {AddressPlan.Node(node)}/24 dev pods
            link set pods up
            route add default via {AddressPlan.Switch}

            """);
        for (var other = 1; other <= nodes; other++)
        {
            if (other != node)
                inside.Append("route add ").Append(AddressPlan.NodePrefix(other)).Append(" via ").Append(AddressPlan.Uplink(other)).Append('\n');
        }

        await BatchAsync(name, inside.ToString(), cancel);
    }

    private static async Task AddNamespaceAsync(string name, bool forward, CancellationToken cancel)
    {
        var added = await Tool.RunAsync([Ip, "netns", "add", name], cancel: cancel);
        if (!added.Ok)
            throw new MeshctlException(ExitCodes.OsError, $"the network namespace {name} could not be made: {added.Reason}.");

        // A connection that keeps its original source address arrives over lo: strict reverse-path filtering, which some distributions make the default, would drop it.
        List<string> settings = ["net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0"];
        if (forward)
            settings.Add("net.ipv4.ip_forward=1");
        await SetAsync(name, settings, cancel);
    }

    private static async Task SetAsync(string? networkNamespace, IReadOnlyList<string> settings, CancellationToken cancel)
    {
        // /proc/sys/net shows the namespace of the process that opens it.
        const string script = "for s in \"$@\"; do echo \"${s#*=}\" > \"/proc/sys/$(echo \"${s%%=*}\" | tr . /)\" || exit 71; done";
        IReadOnlyList<string> enter = networkNamespace is null ? [] : Namespaces.EnterNetwork(PathOf(networkNamespace));
        var result = await Tool.RunAsync([.. enter, "sh", "-c", script, "sysctl", .. settings], cancel: cancel);
        if (!result.Ok)
            throw new MeshctlException(ExitCodes.OsError, $"the network settings {string.Join(", ", settings)} could not be made in {networkNamespace ?? "the switch"}: {result.Reason}.");
    }

    private static async Task BatchAsync(string? networkNamespace, string commands, CancellationToken cancel)
    {
        IReadOnlyList<string> scope = networkNamespace is null ? [] : ["-n", networkNamespace];
        var result = await Tool.RunAsync([Ip, .. scope, "-batch", "-"], commands + "\n", cancel: cancel);
        if (!result.Ok)
            throw new MeshctlException(ExitCodes.OsError, $"the network of {networkNamespace ?? "the switch"} could not be made: {result.Reason}.");
    }
}

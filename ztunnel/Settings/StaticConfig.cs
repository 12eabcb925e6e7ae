using System.Net;
using Mesh.Model;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Runtime;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Mesh.Ztunnel.Settings;

/// <summary>Workloads, services and policies from a file (<c>LOCAL_XDS_PATH</c>) or from text (<c>LOCAL_XDS</c>), in the form of the Rust ztunnel. Read once, at start.</summary>
internal static class StaticConfig
{
    /// <summary>Null: none is configured.</summary>
    public static MeshUpdate? Load(ControlPlaneSettings settings)
    {
        if (settings.LocalText is { } text)
            return Parse(text, "LOCAL_XDS");
        if (settings.LocalFile is not { } path)
            return null;
        try
        {
            return Parse(File.ReadAllText(path), path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new StartException(ExitCodes.Data, $"LOCAL_XDS_PATH: {failure.Message}");
        }
    }

    internal static MeshUpdate Parse(string text, string name)
    {
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(text));
            var update = new MeshUpdate();
            if (stream.Documents.Count == 0)
                return update;
            var root = new StaticNode(stream.Documents[0].RootNode, name);
            root.AllowOnly("workloads", "services", "policies");
            // Workloads before services, as the reference has it: endpoints wait for their service.
            update.Workloads.AddRange(root.List("workloads").Select(Workload));
            update.Services.AddRange(root.List("services").Select(Service));
            update.Policies.AddRange(root.List("policies").Select(p => KeyValuePair.Create($"{p.Required("namespace")}/{p.Required("name")}", StaticPolicy.Parse(p))));
            return update;
        }
        catch (YamlException failure)
        {
            throw new StartException(ExitCodes.Data, $"{name}, line {failure.Start.Line}: {failure.Message}");
        }
    }

    private static Workload Workload(StaticNode node) => new()
    {
        Uid = node.Text("uid"),
        Name = node.Text("name"),
        Namespace = node.Required("namespace"),
        TrustDomain = node.Text("trustDomain"),
        ServiceAccount = node.Text("serviceAccount"),
        Network = node.Text("network"),
        Addresses = [.. node.RequiredList("workloadIps").Select(i => i.Address())],
        Protocol = node.Choice("protocol", TunnelProtocol.Tcp, ("TCP", TunnelProtocol.Tcp), ("HBONE", TunnelProtocol.Hbone)),
        NetworkMode = node.Choice("networkMode", NetworkMode.Standard, ("Standard", NetworkMode.Standard), ("HostNetwork", NetworkMode.HostNetwork)),
        Waypoint = node.Child("waypoint") is { } waypoint ? Gateway(waypoint) : null,
        NetworkGateway = node.Child("networkGateway") is { } gateway ? Gateway(gateway) : null,
        WorkloadName = node.Text("workloadName"),
        WorkloadType = node.Choice("workloadType", WorkloadType.Deployment,
            ("deployment", WorkloadType.Deployment), ("cronjob", WorkloadType.CronJob), ("pod", WorkloadType.Pod), ("job", WorkloadType.Job)),
        CanonicalName = node.Text("canonicalName"),
        CanonicalRevision = node.Text("canonicalRevision"),
        Hostname = node.Text("hostname"),
        Node = node.Text("node"),
        NativeTunnel = node.Flag("nativeTunnel"),
        ApplicationTunnel = node.Child("applicationTunnel") is { } tunnel
            ? new ApplicationTunnel(
                tunnel.Choice("protocol", ApplicationTunnelProtocol.None, ("NONE", ApplicationTunnelProtocol.None), ("PROXY", ApplicationTunnelProtocol.Proxy)), tunnel.OptionalPort("port"))
            : null,
        AuthorizationPolicies = [.. node.List("authorizationPolicies").Select(p => p.Scalar())],
        Status = node.Choice("status", HealthStatus.Healthy, ("Healthy", HealthStatus.Healthy), ("Unhealthy", HealthStatus.Unhealthy)),
        ClusterId = node.Text("clusterId"),
        Locality = node.Child("locality") is { } locality ? new Locality(locality.Text("region"), locality.Text("zone"), locality.Text("subzone")) : Locality.Unknown,
        Capacity = node.Child("capacity")?.Number() ?? 1,
        Services = [.. node.Map("services").Select(s => new ServiceMembership(s.Key.Hostname(), Ports(s.Value)))],
    };

    private static Service Service(StaticNode node) => new()
    {
        Name = node.Required("name"),
        Namespace = node.Required("namespace"),
        Hostname = node.Required("hostname"),
        Vips = [.. node.List("vips").Select(v => v.NetworkAddress())],
        CidrVips = [.. node.List("cidrVips").Select(c => new NetworkPrefix(c.Text("network"), c.RequiredChild("cidr").Block()))],
        Ports = node.Child("ports") is { } ports ? Ports(ports) : PortMap.Empty,
        SubjectAltNames = [.. node.List("subjectAltNames").Select(n => n.Identity())],
        Waypoint = node.Child("waypoint") is { } waypoint ? Gateway(waypoint) : null,
        WeightedWaypoints = [.. node.List("weightedWaypoints").Select(w => new WeightedWaypoint(Gateway(w.Child("destination") ?? w), w.RequiredChild("weight").Number()))],
        LoadBalancer = node.Child("loadBalancer") is { } balancer ? Balancer(balancer) : null,
        IpFamilies = node.Choice<IpFamilies?>("ipFamilies", null, ("Dual", IpFamilies.Dual), ("IPv4", IpFamilies.IPv4), ("IPv6", IpFamilies.IPv6)),
        Canonical = node.Flag("canonical"),
        Visibility = node.Choice("visibility", ServiceVisibility.Public, ("Public", ServiceVisibility.Public), ("Namespace", ServiceVisibility.Namespace)),
    };

    private static readonly (string, LoadBalancerScope)[] Scopes = [.. Enum.GetValues<LoadBalancerScope>().Select(s => (s.ToString(), s))];

    private static LoadBalancer Balancer(StaticNode node) => new()
    {
        RoutingPreferences = [.. node.List("routingPreferences").Select(p => p.OneOf("routingPreferences", Scopes))],
        Mode = node.Choice("mode", LoadBalancerMode.Standard,
            ("Standard", LoadBalancerMode.Standard), ("Strict", LoadBalancerMode.Strict), ("Failover", LoadBalancerMode.Failover), ("Passthrough", LoadBalancerMode.Passthrough)),
        HealthPolicy = node.Choice("healthPolicy", HealthPolicy.OnlyHealthy, ("OnlyHealthy", HealthPolicy.OnlyHealthy), ("AllowAll", HealthPolicy.AllowAll)),
    };

    private static PortMap Ports(StaticNode node) => PortMap.Create(node.Map(null).Select(p => new ServicePort(p.Key.Port(), p.Value.Port())));

    private static GatewayAddress Gateway(StaticNode node)
    {
        var destination = node.Required("destination");
        var port = node.OptionalPort("hboneMtlsPort") ?? 15008;
        // An address first: "default/10.0.0.1" could be read as a host name, too.
        return Mesh.Model.NetworkAddress.TryParse(destination, out var address)
            ? GatewayAddress.ByAddress(address, port)
            : NamespacedHostname.TryParse(destination, out var host) ? GatewayAddress.ByHostname(host, port)
            : throw node.Wrong($"destination '{destination}' is neither network/ip nor namespace/hostname");
    }
}

using System.Net;
using System.Text.Json;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Istio.Security;
using Istio.Workload;
using Mesh.Model;
using Mesh.Xds.Wds;

namespace Mesh.Ztunnel.Tests;

/// <summary>A world as the recordings describe it (friendly JSON), sent through the same decoder as the control plane's answers.</summary>
internal static class RecordedWorld
{
    public static JsonElement Fixture(string name) => JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", name))).RootElement;

    public static MeshState Load(JsonElement world)
    {
        var state = new MeshState("n1");
        var addresses = new DeltaDiscoveryResponse();
        foreach (var workload in world.GetProperty("workloads").EnumerateArray())
            Add(addresses, Text(workload, "uid"), new Istio.Workload.Address { Workload = Workload(workload) });
        foreach (var service in world.GetProperty("services").EnumerateArray())
            Add(addresses, $"{Text(service, "namespace")}/{Text(service, "hostname")}", new Istio.Workload.Address { Service = Service(service) });
        Assert.Empty(new WdsAddressHandler(state).Apply(addresses).Rejections);
        var policies = new DeltaDiscoveryResponse();
        foreach (var policy in world.GetProperty("policies").EnumerateArray())
            Add(policies, $"{Text(policy, "namespace")}/{Text(policy, "name")}", Policy(policy));
        Assert.Empty(new WdsAuthorizationHandler(state).Apply(policies).Rejections);
        return state;
    }

    private static void Add(DeltaDiscoveryResponse response, string name, IMessage message) =>
        response.Resources.Add(new Resource { Name = name, Resource_ = Any.Pack(message) });

    private static string Text(JsonElement item, string name) => item.TryGetProperty(name, out var value) ? value.GetString()! : string.Empty;

    private static T Choice<T>(JsonElement item, string name)
        where T : struct, System.Enum => item.TryGetProperty(name, out var value) ? System.Enum.Parse<T>(value.GetString()!.Replace("_", string.Empty, StringComparison.Ordinal), ignoreCase: true) : default;

    private static IEnumerable<JsonElement> List(JsonElement item, string name) => item.TryGetProperty(name, out var value) ? value.EnumerateArray() : [];

    private static Istio.Workload.Workload Workload(JsonElement item)
    {
        var workload = new Istio.Workload.Workload
        {
            Uid = Text(item, "uid"),
            Name = Text(item, "name"),
            Namespace = Text(item, "namespace"),
            ServiceAccount = Text(item, "service_account"),
            TrustDomain = Text(item, "trust_domain"),
            TunnelProtocol = Choice<TunnelProtocol>(item, "tunnel_protocol"),
            Node = Text(item, "node"),
            ClusterId = Text(item, "cluster_id"),
            CanonicalName = Text(item, "canonical_name"),
            CanonicalRevision = Text(item, "canonical_revision"),
            WorkloadName = Text(item, "workload_name"),
            WorkloadType = Choice<WorkloadType>(item, "workload_type"),
            Status = Choice<WorkloadStatus>(item, "status"),
            NetworkMode = Choice<NetworkMode>(item, "network_mode"),
            Network = Text(item, "network"),
            Hostname = Text(item, "hostname"),
            NativeTunnel = item.TryGetProperty("native_tunnel", out var native) && native.GetBoolean(),
            Capacity = item.TryGetProperty("capacity", out var capacity) ? capacity.GetUInt32() : null,
        };
        workload.Addresses.AddRange(List(item, "ips").Select(i => Bytes(i.GetString()!)));
        workload.AuthorizationPolicies.AddRange(List(item, "authorization_policies").Select(p => p.GetString()));
        if (item.TryGetProperty("services", out var services))
        {
            foreach (var service in services.EnumerateObject())
                workload.Services[service.Name] = new PortList { Ports = { Ports(service.Value) } };
        }
        if (item.TryGetProperty("locality", out var locality))
            workload.Locality = new Locality { Region = Text(locality, "region"), Zone = Text(locality, "zone"), Subzone = Text(locality, "subzone") };
        if (item.TryGetProperty("application_tunnel", out var tunnel))
            workload.ApplicationTunnel = new ApplicationTunnel { Protocol = Choice<ApplicationTunnel.Types.Protocol>(tunnel, "protocol"), Port = tunnel.GetProperty("port").GetUInt32() };
        if (item.TryGetProperty("waypoint", out var waypoint))
            workload.Waypoint = Gateway(waypoint);
        if (item.TryGetProperty("network_gateway", out var gateway))
            workload.NetworkGateway = Gateway(gateway);
        return workload;
    }

    private static Istio.Workload.Service Service(JsonElement item)
    {
        var service = new Istio.Workload.Service
        {
            Name = Text(item, "name"),
            Namespace = Text(item, "namespace"),
            Hostname = Text(item, "hostname"),
            IpFamilies = item.TryGetProperty("ip_families", out _) ? Choice<IPFamilies>(item, "ip_families") : IPFamilies.Automatic,
            Canonical = item.TryGetProperty("canonical", out var canonical) && canonical.GetBoolean(),
            Visibility = Choice<Istio.Workload.Service.Types.Visibility>(item, "visibility"),
        };
        service.Addresses.AddRange(List(item, "vips").Select(v => NetworkAddressOf(v.GetString()!)));
        service.Ports.AddRange(Ports(item.GetProperty("ports")));
        service.SubjectAltNames.AddRange(List(item, "subject_alt_names").Select(n => n.GetString()));
        if (item.TryGetProperty("waypoint", out var waypoint))
            service.Waypoint = Gateway(waypoint);
        service.WeightedWaypoints.AddRange(List(item, "weighted_waypoints").Select(w => new WeightedWaypoint { Destination = Gateway(w), Weight = w.GetProperty("weight").GetUInt32() }));
        if (item.TryGetProperty("load_balancing", out var balancing))
        {
            service.LoadBalancing = new LoadBalancing { Mode = Choice<LoadBalancing.Types.Mode>(balancing, "mode"), HealthPolicy = Choice<LoadBalancing.Types.HealthPolicy>(balancing, "health_policy") };
            service.LoadBalancing.RoutingPreference.AddRange(List(balancing, "routing_preference").Select(s => System.Enum.Parse<LoadBalancing.Types.Scope>(s.GetString()!, ignoreCase: true)));
        }
        return service;
    }

    private static IEnumerable<Port> Ports(JsonElement map) =>
        map.EnumerateObject().Select(p => new Port { ServicePort = uint.Parse(p.Name, System.Globalization.CultureInfo.InvariantCulture), TargetPort = p.Value.GetUInt32() });

    private static GatewayAddress Gateway(JsonElement item)
    {
        var gateway = new GatewayAddress { HboneMtlsPort = item.GetProperty("port").GetUInt32() };
        if (item.TryGetProperty("ip", out var ip))
        {
            gateway.Address = NetworkAddressOf(ip.GetString()!);
        }
        else
        {
            var parts = Text(item, "host").Split('/', 2);
            gateway.Hostname = new Istio.Workload.NamespacedHostname { Namespace = parts[0], Hostname = parts[1] };
        }
        return gateway;
    }

    /// <summary><c>network/ip</c>, <c>/ip</c>, <c>ip</c> or <c>ip/length</c>.</summary>
    private static Istio.Workload.NetworkAddress NetworkAddressOf(string text)
    {
        var parts = text.Split('/');
        if (parts.Length == 2 && IPAddress.TryParse(parts[0], out _) && parts[0].Contains('.', StringComparison.Ordinal))
            return new Istio.Workload.NetworkAddress { Address = Bytes(parts[0]), Length = uint.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture) };
        return parts.Length == 2
            ? new Istio.Workload.NetworkAddress { Network = parts[0], Address = Bytes(parts[1]) }
            : new Istio.Workload.NetworkAddress { Address = Bytes(text) };
    }

    private static ByteString Bytes(string address) => ByteString.CopyFrom(IPAddress.Parse(address).GetAddressBytes());

    private static Istio.Security.Authorization Policy(JsonElement item)
    {
        var policy = new Istio.Security.Authorization
        {
            Name = Text(item, "name"),
            Namespace = Text(item, "namespace"),
            Scope = Choice<Scope>(item, "scope"),
            Action = Choice<Istio.Security.Action>(item, "action"),
            DryRun = item.TryGetProperty("dry_run", out var dry) && dry.GetBoolean(),
        };
        foreach (var rule in item.GetProperty("rules").EnumerateArray())
        {
            policy.Rules.Add(new Rule { Clauses = { rule.EnumerateArray().Select(c => new Clause { Matches = { c.EnumerateArray().Select(Match) } }) } });
        }
        return policy;
    }

    private static Match Match(JsonElement item) => new()
    {
        Namespaces = { List(item, "namespaces").Select(Pattern) },
        NotNamespaces = { List(item, "not_namespaces").Select(Pattern) },
        Principals = { List(item, "principals").Select(Pattern) },
        NotPrincipals = { List(item, "not_principals").Select(Pattern) },
        SourceIps = { List(item, "source_ips").Select(Block) },
        NotSourceIps = { List(item, "not_source_ips").Select(Block) },
        DestinationIps = { List(item, "destination_ips").Select(Block) },
        NotDestinationIps = { List(item, "not_destination_ips").Select(Block) },
        DestinationPorts = { List(item, "destination_ports").Select(p => p.GetUInt32()) },
        NotDestinationPorts = { List(item, "not_destination_ports").Select(p => p.GetUInt32()) },
        ServiceAccounts = { List(item, "service_accounts").Select(Account) },
        NotServiceAccounts = { List(item, "not_service_accounts").Select(Account) },
    };

    private static StringMatch Pattern(JsonElement item) => item.GetString()! switch
    {
        "*" => new StringMatch { Presence = new Empty() },
        ['*', .. var suffix] => new StringMatch { Suffix = suffix },
        [.. var prefix, '*'] => new StringMatch { Prefix = prefix },
        var exact => new StringMatch { Exact = exact },
    };

    private static Istio.Security.Address Block(JsonElement item)
    {
        var parts = item.GetString()!.Split('/');
        return new Istio.Security.Address { Address_ = Bytes(parts[0]), Length = uint.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture) };
    }

    private static ServiceAccountMatch Account(JsonElement item)
    {
        var parts = item.GetString()!.Split('/');
        return new ServiceAccountMatch { Namespace = parts[0], ServiceAccount = parts[1] };
    }
}

using Istio.Workload;
using Mesh.IstiodLite.Resources;
using Gateway = Mesh.IstiodLite.Resources.Gateway;

namespace Mesh.IstiodLite.Translation;

[Flags]
internal enum WaypointTraffic
{
    None = 0,
    Service = 1,
    Workload = 2,
    All = Service | Workload,
}

/// <summary>A Gateway that traffic can be sent through.</summary>
internal sealed record WaypointInfo
{
    public required Gateway Gateway { get; init; }
    public required WaypointTraffic Traffic { get; init; }
    public required GatewayAddress Address { get; init; }
    public ApplicationTunnel? Binding { get; init; }
    /// <summary>Service accounts of its pods, sorted.</summary>
    public IReadOnlyList<string> ServiceAccounts { get; init; } = [];
    public string? ForServiceAccount { get; init; }

    public string Namespace => Gateway.Namespace;
    public string Name => Gateway.Name;
    public string Id => $"{Gateway.Namespace}/{Gateway.Name}";
}

/// <summary>All waypoints by name, and for standalone mode by service account.</summary>
internal sealed class WaypointCatalog
{
    private readonly Dictionary<(string Namespace, string Name), WaypointInfo> _byName = [];
    private readonly Dictionary<(string Namespace, string Account), WaypointInfo> _byAccount = [];

    public WaypointCatalog(ResourceSet resources, MeshSettings settings, string network)
    {
        var classes = resources.GatewayClasses.ToDictionary(c => c.Name, StringComparer.Ordinal);
        var accounts = resources.Pods
            .Where(p => p.Meta.Label(WellKnown.GatewayName) is not null && !p.IsTerminal)
            .ToLookup(p => (p.Namespace, p.Meta.Label(WellKnown.GatewayName)!), p => p.ServiceAccountOrDefault);
        foreach (var gateway in resources.Gateways)
        {
            var gatewayClass = classes.GetValueOrDefault(gateway.ClassName);
            var address = AddressOf(gateway, gatewayClass, settings, network);
            if (address is null)
                continue;
            var account = gateway.Meta.Annotation(WellKnown.ForServiceAccount) ?? gateway.Meta.Label(WellKnown.ForServiceAccount);
            var info = new WaypointInfo
            {
                Gateway = gateway,
                // A waypoint for a service account is for all traffic to it unless its writer says otherwise.
                Traffic = TrafficOf(gateway, gatewayClass) ?? (string.IsNullOrEmpty(account) ? WaypointTraffic.Service : WaypointTraffic.All),
                Address = address,
                Binding = BindingOf(gateway.Meta.Annotation(WellKnown.InboundBinding) ?? gatewayClass?.Meta.Annotation(WellKnown.InboundBinding)),
                ServiceAccounts = [.. accounts[(gateway.Namespace, gateway.Name)].Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)],
                ForServiceAccount = string.IsNullOrEmpty(account) ? null : account,
            };
            _byName[(gateway.Namespace, gateway.Name)] = info;
            if (info.ForServiceAccount is not null)
                _byAccount.TryAdd((gateway.Namespace, info.ForServiceAccount), info);
        }
    }

    public IEnumerable<WaypointInfo> All => _byName.Values;

    public WaypointInfo? Find(string ns, string name) => _byName.GetValueOrDefault((ns, name));

    public WaypointInfo? FindForAccount(string ns, string account) => _byAccount.GetValueOrDefault((ns, account));

    /// <summary>True if everybody who asks either of the two comes to the same result.</summary>
    public bool MeansTheSameAs(WaypointCatalog other) =>
        _byName.Count == other._byName.Count && _byName.All(w => other._byName.TryGetValue(w.Key, out var info) && w.Value.ServiceAccounts.SequenceEqual(info.ServiceAccounts, StringComparer.Ordinal)
            && w.Value == info with { ServiceAccounts = w.Value.ServiceAccounts });

    public static bool IsManagedWaypoint(Gateway gateway, GatewayClass? gatewayClass) =>
        gatewayClass is null ? gateway.ClassName is "istio-waypoint" : gatewayClass.ControllerName is WellKnown.MeshController;

    private static GatewayAddress? AddressOf(Gateway gateway, GatewayClass? gatewayClass, MeshSettings settings, string network)
    {
        foreach (var address in gateway.StatusAddresses)
        {
            if (address.Type is "Hostname")
                return Hostname(gateway.Namespace, address.Value);
        }
        foreach (var address in gateway.StatusAddresses)
        {
            if (address.Type is "IPAddress" && IpBytes.Parse(address.Value) is { } ip)
                return new GatewayAddress { Address = new NetworkAddress { Network = network, Address = IpBytes.Of(ip) }, HboneMtlsPort = WellKnown.HbonePort };
        }
        // Declared is enough here: while no instance runs, clients are refused instead of going around the waypoint.
        return settings.Standalone && IsManagedWaypoint(gateway, gatewayClass)
            ? Hostname(gateway.Namespace, $"{gateway.Name}.{gateway.Namespace}.svc.{settings.ClusterDomain}")
            : null;
    }

    private static GatewayAddress Hostname(string ns, string hostname) =>
        new() { Hostname = new NamespacedHostname { Namespace = ns, Hostname = hostname }, HboneMtlsPort = WellKnown.HbonePort };

    private static WaypointTraffic? TrafficOf(Gateway gateway, GatewayClass? gatewayClass) =>
        (gateway.Meta.Label(WellKnown.WaypointFor) ?? gatewayClass?.Meta.Label(WellKnown.WaypointFor)) switch
        {
            "service" => WaypointTraffic.Service,
            "workload" => WaypointTraffic.Workload,
            "all" => WaypointTraffic.All,
            "none" => WaypointTraffic.None,
            _ => null,
        };

    private static ApplicationTunnel? BindingOf(string? annotation)
    {
        if (annotation is null)
            return null;
        var parts = annotation.Split('/', 2);
        ApplicationTunnel.Types.Protocol? protocol = parts[0] switch
        {
            "NONE" => ApplicationTunnel.Types.Protocol.None,
            "PROXY" => ApplicationTunnel.Types.Protocol.Proxy,
            _ => null,
        };
        if (protocol is null)
            return null;
        uint port = 0;
        if (parts.Length == 2 && !uint.TryParse(parts[1], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out port))
            return null;
        return new ApplicationTunnel { Protocol = protocol.Value, Port = port };
    }
}

using Mesh.IstiodLite.Resources;
using Wds = Istio.Workload;

namespace Mesh.IstiodLite.Translation;

/// <summary>A Gateway of class istio-remote with a network label leads to another network (reference: istiod 11.1).</summary>
internal sealed record NetworkGateway(string Network, Wds.GatewayAddress Address, Wds.Workload Workload)
{
    /// <summary>With several gateways for one network the first counts.</summary>
    public static Dictionary<string, Wds.GatewayAddress> ByNetwork(IEnumerable<NetworkGateway> gateways) =>
        gateways.GroupBy(g => g.Network, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.First().Address, StringComparer.Ordinal);

    public static IEnumerable<NetworkGateway> All(ResourceSet resources)
    {
        var unmanaged = resources.GatewayClasses.Where(c => c.ControllerName is WellKnown.UnmanagedController).Select(c => c.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var gateway in resources.Gateways)
        {
            var remote = gateway.ClassName is "istio-remote" || unmanaged.Contains(gateway.ClassName);
            if (!remote || gateway.Meta.Label(WellKnown.Network) is not { Length: > 0 } network || !gateway.Listeners.Any(l => l.Protocol is "HBONE"))
                continue;
            var port = (uint)gateway.Listeners.First(l => l.Protocol is "HBONE").Port;
            foreach (var text in gateway.StatusAddresses.Where(a => a.Type is "IPAddress").Select(a => a.Value))
            {
                if (IpBytes.Parse(text) is not { } ip)
                    continue;
                var name = $"NetworkGateway/{network}/{ip}/{port}";
                var workload = new Wds.Workload
                {
                    Uid = name,
                    Name = name,
                    Namespace = gateway.Namespace,
                    Network = network,
                    ServiceAccount = gateway.Meta.Annotation(WellKnown.GatewayServiceAccount) ?? $"{gateway.Name}-{gateway.ClassName}",
                };
                workload.Addresses.Add(IpBytes.Of(ip));
                yield return new NetworkGateway(network, new Wds.GatewayAddress { Address = new Wds.NetworkAddress { Network = network, Address = IpBytes.Of(ip) }, HboneMtlsPort = port }, workload);
            }
        }
    }
}

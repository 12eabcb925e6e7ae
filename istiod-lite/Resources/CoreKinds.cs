namespace Mesh.IstiodLite.Resources;

internal sealed record ContainerPort(string Name, int Port, string Protocol);

internal sealed class Pod : Resource
{
    public override string Kind => "Pod";
    public string NodeName { get; init; } = string.Empty;
    /// <summary>Verbatim; empty means "default" to those who need an identity.</summary>
    public string ServiceAccount { get; init; } = string.Empty;
    public bool HostNetwork { get; init; }
    public string Phase { get; init; } = string.Empty;
    public bool Ready { get; init; }
    public IReadOnlyList<string> Addresses { get; init; } = [];
    /// <summary>Containers first, then restartable init containers: the order in which Kubernetes resolves a named port.</summary>
    public IReadOnlyList<ContainerPort> Ports { get; init; } = [];

    public bool IsTerminal => Phase is "Succeeded" or "Failed";
    public string ServiceAccountOrDefault => ServiceAccount.Length == 0 ? "default" : ServiceAccount;

    public int? FindTcpPort(string name)
    {
        foreach (var port in Ports)
        {
            if (port.Name == name && port.Protocol is "TCP")
                return port.Port;
        }
        return null;
    }
}

internal sealed record ServicePort(string Name, int Port, string Protocol, int? TargetNumber, string? TargetName, string? AppProtocol, int NodePort = 0);

internal sealed class Service : Resource
{
    public override string Kind => "Service";
    public string Type { get; init; } = "ClusterIP";
    public IReadOnlyList<string> ClusterIps { get; init; } = [];
    public IReadOnlyDictionary<string, string> Selector { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    public IReadOnlyList<ServicePort> Ports { get; init; } = [];
    public IReadOnlyList<string> IpFamilies { get; init; } = [];
    public string? InternalTrafficPolicy { get; init; }
    public string? TrafficDistribution { get; init; }
    public bool PublishNotReadyAddresses { get; init; }
    /// <summary>Types of the conditions that the document's own status already carries: ours among them are removed when they no longer hold.</summary>
    public IReadOnlyList<string> ConditionTypes { get; init; } = [];

    public bool IsHeadless => ClusterIps.Count > 0 && ClusterIps.All(ip => ip is "None");
}

internal sealed record SliceEndpoint(IReadOnlyList<string> Addresses, bool Ready, string? TargetKind, string? TargetName, string? TargetNamespace, string? TargetUid);

internal sealed record SlicePort(string? Name, int? Port, string Protocol);

internal sealed class EndpointSlice : Resource
{
    public override string Kind => "EndpointSlice";
    public string AddressType { get; init; } = "IPv4";
    public IReadOnlyList<SliceEndpoint> Endpoints { get; init; } = [];
    public IReadOnlyList<SlicePort> Ports { get; init; } = [];
}

internal sealed class NamespaceResource : Resource
{
    public override string Kind => "Namespace";
}

internal sealed class Node : Resource
{
    public override string Kind => "Node";
}

internal sealed class ServiceAccount : Resource
{
    public override string Kind => "ServiceAccount";
}

internal sealed class ConfigMap : Resource
{
    public override string Kind => "ConfigMap";
    public IReadOnlyDictionary<string, string> Data { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
}

namespace Mesh.Model.Workloads;

/// <summary>How a workload is reached.</summary>
public enum TunnelProtocol
{
    Tcp,
    Hbone,
}

/// <summary>Host-network workloads share the node's address and are therefore never found by address.</summary>
public enum NetworkMode
{
    Standard,
    HostNetwork,
}

public enum HealthStatus
{
    Healthy,
    Unhealthy,
}

/// <summary>The kind of controller, used in labels and baggage in lower case.</summary>
public enum WorkloadType
{
    Deployment,
    CronJob,
    Pod,
    Job,
}

public enum IpFamilies
{
    IPv4,
    IPv6,
    Dual,
}

/// <summary>Who may see a service by name or virtual address.</summary>
public enum ServiceVisibility
{
    Public,

    /// <summary>Only clients of the service's own namespace.</summary>
    Namespace,
}

public enum LoadBalancerScope
{
    Region,
    Zone,
    Subzone,
    Node,
    Cluster,
    Network,
}

public enum LoadBalancerMode
{
    Standard,

    /// <summary>Only endpoints that match every scope.</summary>
    Strict,

    /// <summary>The endpoints that match most scopes, whatever that is.</summary>
    Failover,

    /// <summary>No choice is made: the original destination is used.</summary>
    Passthrough,
}

public enum HealthPolicy
{
    OnlyHealthy,
    AllowAll,
}

public enum AppProtocol
{
    Unknown,
    Http11,
    Http2,
    Grpc,
    Tcp,
    Tls,
}

public enum ApplicationTunnelProtocol
{
    None,

    /// <summary>PROXY protocol version 2 before the bytes of the connection.</summary>
    Proxy,
}

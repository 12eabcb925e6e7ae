using Mesh.Net;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Settings;

/// <summary>Everything the process was told, checked, and immutable from here on. Names and defaults are those of the Rust ztunnel.</summary>
internal sealed record ZtunnelSettings
{
    public required ProxyMode Mode { get; init; }

    /// <summary>False: DNS only.</summary>
    public bool ProxyEnabled { get; init; } = true;

    /// <summary>The workload of a dedicated process.</summary>
    public PodInfo? DedicatedWorkload { get; init; }

    public string Network { get; init; } = string.Empty;

    /// <summary>Empty: every workload counts as local.</summary>
    public string NodeName { get; init; } = string.Empty;

    public string ClusterId { get; init; } = "Kubernetes";

    public string ClusterDomain { get; init; } = "cluster.local";

    public string TrustDomain { get; init; } = "cluster.local";

    public int WorkerThreads { get; init; } = 1;

    /// <summary>Null: try; true: fail when it cannot be had; false: off.</summary>
    public bool? PreserveSource { get; init; }

    public bool LocalhostAppTunnel { get; init; } = true;

    /// <summary>Response baggage is sent, and request baggage is read for labels.</summary>
    public bool Baggage { get; init; } = true;

    public bool PolicyInfoLogging { get; init; }

    public UnknownPolicy UnknownPolicy { get; init; }

    /// <summary>What to do with a policy that has fields this version does not know.</summary>
    public UnknownPolicy UnknownPolicyField { get; init; } = UnknownPolicy.Deny;

    /// <summary>How long a loop looks for events before it sleeps, while that pays; zero: never.</summary>
    public TimeSpan BusyPoll { get; init; } = EventLoopOptions.DefaultBusyPoll;

    /// <summary>Connections between two pods of this node go from socket to socket, without a tunnel.</summary>
    public bool SameNodeFastPath { get; init; }

    public bool Ipv6 { get; init; } = true;

    public bool Socks5 { get; init; }

    public required ControlPlaneSettings ControlPlane { get; init; }

    public required AuthoritySettings Authority { get; init; }

    public required TunnelSettings Tunnel { get; init; }

    public required SocketSettings Socket { get; init; }

    public required PodSettings Pods { get; init; }

    public required DnsSettings Dns { get; init; }

    public required DrainSettings Drain { get; init; }

    public required AdminSettings Admin { get; init; }

    public required SelfSettings Self { get; init; }

    /// <summary>Ports that a connection must never reach through us: it would come back.</summary>
    public IReadOnlyList<int> IllegalPorts => Socks5 ? [15001, 15006, 15008, 15080] : [15001, 15006, 15008];

    public bool IsIllegalPort(int port) => port is 15001 or 15006 or 15008 || (Socks5 && port == 15080);
}

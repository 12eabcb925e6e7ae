namespace Mesh.Ztunnel.Settings;

/// <summary>Shared: one process serves the pods of a node, inside their namespaces. Dedicated: one process serves the one workload it runs beside.</summary>
internal enum ProxyMode
{
    Shared,
    Dedicated,
}

/// <summary>Who installs the rules that lead a pod's traffic to us.</summary>
internal enum CaptureRules
{
    /// <summary>Somebody else does (istio-cni).</summary>
    Off,

    /// <summary>We do, with what the node has; nftables is preferred.</summary>
    Auto,
    Nftables,
    Iptables,
}

/// <summary>What to do when a workload names a policy that is not known (yet).</summary>
internal enum UnknownPolicy
{
    /// <summary>Log it and decide with the others, as the Rust ztunnel does.</summary>
    Warn,

    /// <summary>Refuse: the missing one may be the one that would have forbidden it.</summary>
    Deny,
}

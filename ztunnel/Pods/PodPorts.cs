namespace Mesh.Ztunnel.Pods;

internal enum PodPortKind
{
    /// <summary>15001: what the pod sends.</summary>
    Outbound,

    /// <summary>15006: what arrives in plaintext.</summary>
    Plaintext,

    /// <summary>15008: tunnels that arrive.</summary>
    Hbone,

    /// <summary>15080: programs that ask for a connection themselves.</summary>
    Socks,
}

/// <summary>The ports that are opened in a pod's namespace.</summary>
internal sealed record PodPorts(IReadOnlyList<(int Port, PodPortKind Kind)> All)
{
    public static readonly PodPorts Everything = new([(15001, PodPortKind.Outbound), (15006, PodPortKind.Plaintext), (15008, PodPortKind.Hbone)]);

    public static readonly PodPorts WithSocks = new([.. Everything.All, (15080, PodPortKind.Socks)]);

    /// <summary>DNS only.</summary>
    public static readonly PodPorts None = new([]);

    /// <summary>For our own ports: we are reached through a tunnel like any workload, and capture nothing of ourselves.</summary>
    public static readonly PodPorts TunnelOnly = new([(15008, PodPortKind.Hbone)]);
}

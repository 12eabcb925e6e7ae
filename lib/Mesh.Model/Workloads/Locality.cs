namespace Mesh.Model.Workloads;

/// <summary>Where a workload runs, from large to small.</summary>
public sealed record Locality(string Region = "", string Zone = "", string Subzone = "")
{
    public static Locality Unknown { get; } = new();
}

/// <summary>How a destination takes delivery from the tunnel when it is itself a proxy ("sandwiched" waypoint).</summary>
public sealed record ApplicationTunnel(ApplicationTunnelProtocol Protocol, ushort? Port = null);

using System.Net;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Forwarding;

namespace Mesh.Ztunnel.Outbound;

/// <summary>Where the pod really wanted to go, before any rule or proxy touched it.</summary>
internal readonly record struct OriginalDestination(IPEndPoint Value)
{
    public IPAddress Address => Value.Address;

    public int Port => Value.Port;

    public override string ToString() => Value.ToString();
}

/// <summary>The TCP address that is dialled. Never the same thing as the destination of the connection.</summary>
/// <param name="Address">Null: <paramref name="Hostname"/> has to be resolved first.</param>
internal readonly record struct NextHop(IPAddress? Address, string? Hostname, int Port)
{
    public IPEndPoint EndPoint => new(Address ?? throw new InvalidOperationException($"{Hostname} is not resolved yet"), Port);

    public override string ToString() => Address is null ? $"{Hostname}:{Port}" : EndPoint.ToString();
}

/// <summary>What to do with one captured connection. The decision carries everything that the story needs; nothing is looked up twice.</summary>
internal abstract record OutboundRoute
{
    private OutboundRoute()
    {
    }

    /// <summary>The workload at the other end of the next hop: the destination, its waypoint, or a gateway's target.</summary>
    public Workload? Destination { get; init; }

    /// <summary>The service that the pod addressed or reached.</summary>
    public Service? Service { get; init; }

    /// <summary>One CONNECT stream inside mTLS.</summary>
    /// <param name="Authority">Null: the address of the next hop with <paramref name="AuthorityPort"/>, known once it is resolved.</param>
    internal sealed record Tunnel(NextHop Hop, string? Authority, int AuthorityPort, IReadOnlyList<SpiffeId> Accepted) : OutboundRoute
    {
        /// <summary>The family that a resolved hostname should have.</summary>
        public System.Net.Sockets.AddressFamily PreferredFamily { get; init; }

        /// <summary>The next hop is a waypoint before the destination.</summary>
        public bool IsWaypoint { get; init; }
    }

    /// <summary>A tunnel to a gateway and inside it a tunnel to the workload in the other network.</summary>
    internal sealed record DoubleTunnel(NextHop Hop, string Authority, IReadOnlyList<SpiffeId> Gateway, IReadOnlyList<SpiffeId> Final) : OutboundRoute;

    /// <summary>Plain TCP to a workload that takes no tunnels.</summary>
    internal sealed record Direct(NextHop Hop) : OutboundRoute
    {
        public System.Net.Sockets.AddressFamily PreferredFamily { get; init; }
    }

    /// <summary>Plain TCP to the original destination: nothing in the mesh is meant.</summary>
    internal sealed record Passthrough(OriginalDestination Target) : OutboundRoute;

    internal sealed record Refuse(Failure Failure) : OutboundRoute;
}

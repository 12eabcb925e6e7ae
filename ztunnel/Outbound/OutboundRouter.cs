using System.Net;
using Mesh.Model;
using Mesh.Model.Selection;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Forwarding;

namespace Mesh.Ztunnel.Outbound;

/// <summary>
/// Decides where a captured connection goes: a pure function of one snapshot, who calls, and where to.
/// </summary>
/// <remarks>
/// Two look-ups with opposite precedence, on purpose: whether the flow is addressed to a service asks for a workload first, which
/// endpoint serves it asks for a service first. An address that is both skips the service's waypoint and is balanced as a service.
/// </remarks>
internal static class OutboundRouter
{
    public const int HbonePort = 15008;

    /// <param name="network">Own network: the one that the pod's destinations are looked up in.</param>
    /// <param name="downstream">The pod's address as the connection shows it.</param>
    public static OutboundRoute Choose(MeshSnapshot mesh, string network, Workload source, IPAddress downstream, OriginalDestination target, Random random, WorkloadLoad? load = null)
    {
        // (1) Is a service meant?
        var service = mesh.FindWorkload(network, target.Address) is null ? mesh.FindService(network, target.Address, source.Namespace) : null;

        // (2) Its waypoint takes everything that is addressed to the service; one that cannot be found is no reason to go around it.
        if (service?.ChooseWaypoint(random) is { } serviceWaypoint)
        {
            if (WaypointResolver.Resolve(mesh, serviceWaypoint, source, random) is not { } waypoint)
                return UnknownWaypoint(serviceWaypoint);
            return waypoint.Workload.Network != source.Network
                ? AcrossNetworks(mesh, waypoint, service, source, target, random)
                : ToWaypoint(waypoint, serviceWaypoint, service, target);
        }

        // (3) Which workload?
        if (FindUpstream(mesh, source.Network, target, source, random, load) is not { } upstream)
        {
            return service is null || service.LoadBalancer?.Mode == LoadBalancerMode.Passthrough
                ? new OutboundRoute.Passthrough(target)
                : new OutboundRoute.Refuse(new Failure(Ending.NoHealthyUpstream, $"no healthy upstream: {target}"));
        }

        // (4) In another network: through its gateway, and only for a service, because addresses mean nothing there.
        if (upstream.Workload.Network != source.Network)
            return AcrossNetworks(mesh, upstream, service, source, target, random);

        // (5) The workload's own waypoint takes what is addressed to the workload, unless the waypoint is the caller.
        if (service is null && upstream.Workload.Waypoint is { } workloadWaypoint
            && !WaypointResolver.IsCaller(mesh, workloadWaypoint, source, downstream))
        {
            return WaypointResolver.Resolve(mesh, workloadWaypoint, source, random) is { } waypoint
                ? ToWaypoint(waypoint, workloadWaypoint, upstream.Service, target)
                : UnknownWaypoint(workloadWaypoint);
        }

        // (6) Straight to the workload.
        return Straight(upstream, target);
    }

    internal static Upstream? FindUpstream(MeshSnapshot mesh, string network, OriginalDestination target, Workload source, Random random, WorkloadLoad? load = null)
    {
        if (mesh.FindService(network, target.Address, source.Namespace) is { } service)
        {
            return service.LoadBalancer?.Mode == LoadBalancerMode.Passthrough
                ? null
                : Balance(mesh, service, target.Port, source, SelectionPurpose.Traffic, random, load);
        }
        return mesh.FindWorkload(network, target.Address) is { } workload ? new Upstream(workload, target.Port, null) : null;
    }

    internal static Upstream? Balance(MeshSnapshot mesh, Service service, int port, Workload source, SelectionPurpose purpose, Random random, WorkloadLoad? load = null)
    {
        if (mesh.FindEndpoints(service.Key) is not { } endpoints
            || EndpointSelection.Select(endpoints, SelectionSource.Of(source), (ushort)port, purpose, random) is not { } chosen)
            return null;
        // The less loaded of two where capacity says nothing: one slow endpoint does not collect connections. Rank is equal already.
        if (load is not null && EndpointSelection.Select(endpoints, SelectionSource.Of(source), (ushort)port, purpose, random) is { } other
            && other.Workload.Capacity == chosen.Workload.Capacity && load.Of(other.Workload.Uid) < load.Of(chosen.Workload.Uid))
        {
            chosen = other;
        }
        return new Upstream(chosen.Workload, chosen.TargetPort, service);
    }

    private static OutboundRoute Straight(Upstream upstream, OriginalDestination target)
    {
        var isTunnel = upstream.Workload.Protocol == TunnelProtocol.Hbone;
        if (upstream.Hop(target.Address, isTunnel ? HbonePort : upstream.Port) is not { } hop)
            return NoAddress(upstream.Workload);
        if (!isTunnel)
            return new OutboundRoute.Direct(hop) { Destination = upstream.Workload, Service = upstream.Service, PreferredFamily = target.Address.AddressFamily };
        var authority = hop.Address is null ? null : new IPEndPoint(hop.Address, upstream.Port).ToString();
        return new OutboundRoute.Tunnel(hop, authority, upstream.Port, upstream.Accepted)
        {
            Destination = upstream.Workload,
            Service = upstream.Service,
            PreferredFamily = target.Address.AddressFamily,
        };
    }

    private static OutboundRoute ToWaypoint(Upstream waypoint, GatewayAddress reference, Service? service, OriginalDestination target)
    {
        // A waypoint named by address fixes the family; one named by host follows the caller.
        var named = reference.Address?.Address ?? target.Address;
        return waypoint.Hop(named, waypoint.Port) is { } hop
            ? new OutboundRoute.Tunnel(hop, target.ToString(), target.Port, waypoint.Accepted)
            {
                Destination = waypoint.Workload,
                Service = service,
                IsWaypoint = true,
                PreferredFamily = named.AddressFamily,
            }
            : NoAddress(waypoint.Workload);
    }

    private static OutboundRoute AcrossNetworks(MeshSnapshot mesh, Upstream upstream, Service? service, Workload source, OriginalDestination target, Random random)
    {
        if (service is null)
            return Refuse($"workload {upstream.Workload.Uid} is in network \"{upstream.Workload.Network}\" and can only be reached through a service");
        if (upstream.Workload.NetworkGateway is not { } reference)
            return Refuse($"workload {upstream.Workload.Uid} is in network \"{upstream.Workload.Network}\", and no gateway into it is known");
        if (WaypointResolver.ResolveGateway(mesh, reference, source, random) is not { } gateway)
            return Refuse($"the gateway {reference} into network \"{upstream.Workload.Network}\" is not found");
        var named = reference.Address?.Address ?? target.Address;
        if (gateway.Hop(named, gateway.Port) is not { } hop)
            return NoAddress(gateway.Workload);
        return new OutboundRoute.DoubleTunnel(hop, $"{service.Hostname}:{target.Port}", gateway.Accepted, [.. upstream.Service?.SubjectAltNames ?? []])
        {
            Destination = upstream.Workload,
            Service = service,
        };
    }

    private static OutboundRoute.Refuse UnknownWaypoint(GatewayAddress reference) => new(new Failure(
        Ending.NoHealthyUpstream,
        $"unknown waypoint: waypoint {(reference.Address?.Address.ToString() ?? reference.Hostname?.Hostname)} not found"));

    private static OutboundRoute.Refuse NoAddress(Workload workload) => Refuse($"workload {workload.Uid} has no address and no host name");

    private static OutboundRoute.Refuse Refuse(string text) => new(new Failure(Ending.NoHealthyUpstream, $"no healthy upstream: {text}"));
}

using System.Net;
using System.Net.Sockets;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Forwarding;

namespace Mesh.Ztunnel.Inbound;

/// <summary>
/// May this stream reach what its authority names, and on which port? A pure function of one snapshot, the pod and the authority.
/// </summary>
internal static class InboundRouter
{
    private const int BadRequest = 400;
    private const int Unavailable = 503;

    /// <param name="local">The pod that was connected to.</param>
    /// <param name="connectionAddress">The pod's address as the connection shows it; the stream never leaves this address.</param>
    public static InboundDecision Decide(
        MeshSnapshot mesh, Workload local, IPAddress connectionAddress, Authority authority, Func<int, bool> isIllegalPort, bool localhostAppTunnel)
    {
        // (1) An address must be ours, or belong to something whose waypoint we are.
        if (authority.Address is { } address && !address.Equals(connectionAddress) && local.ApplicationTunnel is null
            && !IsWaypointOf(mesh, local, connectionAddress, address))
        {
            return InboundDecision.Refuse(BadRequest, new Failure(Ending.BadDestination, $"ip mismatch: {connectionAddress} != {address}"));
        }

        // (2) A host name is a service of ours; its port is a service port.
        Service? service = null;
        int port = authority.Port;
        if (authority.Hostname is { } hostname)
        {
            service = mesh.FindServiceByHost(hostname, local.Namespace);
            if (service is null)
                return InboundDecision.Refuse(Unavailable, new Failure(Ending.BadDestination, $"no service or workload for hostname: {hostname}"));
            if (TargetPort(mesh, service, local, authority.Port) is not { } target)
                return InboundDecision.Refuse(Unavailable, new Failure(Ending.BadDestination, $"no port {authority.Port} for hostname: {hostname}"));
            port = target;
        }

        // (3) The application may be a proxy that takes everything on one port.
        IPEndPoint? proxyTarget = null;
        var isProxy = local.ApplicationTunnel?.Protocol == ApplicationTunnelProtocol.Proxy;
        if (isProxy)
        {
            var named = authority.Address ?? (service is null ? null : Vip(service, local.Network));
            if (named is null)
                return InboundDecision.Refuse(Unavailable, new Failure(Ending.BadDestination, $"{authority} has no address to put into a PROXY header"));
            proxyTarget = new IPEndPoint(named, authority.Port);
        }
        if (local.ApplicationTunnel?.Port is { } tunnelPort and > 0)
            port = tunnelPort;

        // (4) Never back into ourselves.
        if (isIllegalPort(port))
            return InboundDecision.Refuse(Unavailable, Failure.SelfCall);
        return new InboundDecision(new InboundRoute(new IPEndPoint(connectionAddress, port), proxyTarget, isProxy && localhostAppTunnel), 200, default);
    }

    /// <summary>The service that the caller probably meant, for labels: the one it names, else the first that leads to this port.</summary>
    public static Service? GuessService(MeshSnapshot mesh, Workload local, string? forwardedHost, int port)
    {
        Service? byPort = null;
        foreach (var membership in local.Services)
        {
            if (mesh.FindService(membership.Service) is not { } service)
                continue;
            if (forwardedHost is not null && service.Hostname == forwardedHost)
                return service;
            if (byPort is null && LeadsTo(service, membership, port))
                byPort = service;
        }
        return byPort;
    }

    private static bool LeadsTo(Service service, ServiceMembership membership, int port)
    {
        foreach (var entry in service.Ports)
        {
            if (entry.TargetPort == port || (membership.Ports.TryGetTarget(entry.Port, out var own) && own == port))
                return true;
        }
        return false;
    }

    private static int? TargetPort(MeshSnapshot mesh, Service service, Workload local, ushort port)
    {
        if (mesh.FindEndpoints(service.Key)?.FindEndpoint(local.Uid) is { } endpoint && endpoint.Ports.TryGetTarget(port, out var own) && own > 0)
            return own;
        return service.Ports.TryGetTarget(port, out var target) && target > 0 ? target : null;
    }

    private static IPAddress? Vip(Service service, string network)
    {
        IPAddress? other = null;
        foreach (var vip in service.Vips)
        {
            if (vip.Network == network && vip.Address.AddressFamily == AddressFamily.InterNetwork)
                return vip.Address;
            if (other is null || vip.Network == network)
                other = vip.Address;
        }
        return other;
    }

    private static bool IsWaypointOf(MeshSnapshot mesh, Workload local, IPAddress connectionAddress, IPAddress address)
    {
        if (mesh.FindWorkload(local.Network, address) is { } workload)
            return workload.Waypoint is { } waypoint && IsUs(mesh, waypoint, local, connectionAddress);
        return mesh.FindService(local.Network, address, local.Namespace) is { } service
            && OwnWaypoint.ReferencesOf(service).Any(w => IsUs(mesh, w, local, connectionAddress));
    }

    private static bool IsUs(MeshSnapshot mesh, GatewayAddress reference, Workload local, IPAddress connectionAddress)
    {
        if (OwnWaypoint.ServiceOf(mesh, reference) is { } service)
            return mesh.FindEndpoints(service.Key)?.Contains(local.Uid) ?? false;
        return OwnWaypoint.WorkloadOf(mesh, reference) is { } workload && workload.HasAddress(connectionAddress);
    }
}

using System.Net;
using Mesh.Model;
using Mesh.Model.Workloads;

namespace Mesh.Ztunnel.Local;

/// <summary>
/// With <c>XDS_ON_DEMAND</c> the control plane only tells what is asked for: a connection asks for its destination, and for the waypoint
/// that stands before it, and waits for the answer. Without it everything is known already and nothing here runs.
/// </summary>
/// <param name="demand">Asks for one name and completes when the control plane has answered about it.</param>
internal sealed class OnDemand(MeshState mesh, Func<string, Task> demand, TimeProvider time)
{
    /// <summary>A control plane that does not answer must not hold the connection; the decision is then made from what is known.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public async Task EnsureWorkloadAsync(string uid)
    {
        if (mesh.Current.FindWorkloadByUid(uid) is null)
            await AskAsync(uid);
    }

    public async ValueTask EnsureDestinationAsync(string network, IPAddress address)
    {
        if (!IsKnown(network, address))
            await AskAsync(new NetworkAddress(network, address).ToString());
        foreach (var waypoint in WaypointsOf(network, address))
        {
            if (waypoint.Address is { } by && !IsKnown(by.Network, by.Address))
                await AskAsync(by.ToString());
            else if (waypoint.Hostname is { } host && mesh.Current.FindService(host) is null && mesh.Current.FindWorkloadByHostname(host) is null)
                await AskAsync(host.ToString());
        }
    }

    private bool IsKnown(string network, IPAddress address) =>
        mesh.Current.FindWorkload(network, address) is not null || mesh.Current.FindService(network, address, null) is not null;

    private List<GatewayAddress> WaypointsOf(string network, IPAddress address)
    {
        var waypoints = new List<GatewayAddress>();
        if (mesh.Current.FindWorkload(network, address) is { } workload)
        {
            if (workload.Waypoint is { } own)
                waypoints.Add(own);
            if (workload.NetworkGateway is { } gateway)
                waypoints.Add(gateway);
        }
        else if (mesh.Current.FindService(network, address, null) is { } service)
        {
            if (service.Waypoint is { } single)
                waypoints.Add(single);
            foreach (var weighted in service.WeightedWaypoints)
                waypoints.Add(weighted.Destination);
        }
        return waypoints;
    }

    private async Task AskAsync(string name)
    {
        try
        {
            await demand(name).WaitAsync(Patience, time);
        }
        catch (TimeoutException)
        {
            // Said above: what is not known is not there.
        }
    }
}

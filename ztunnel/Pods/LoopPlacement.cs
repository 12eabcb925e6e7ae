namespace Mesh.Ztunnel.Pods;

/// <summary>Which loop takes the next connection.</summary>
internal static class LoopPlacement
{
    /// <summary>
    /// As many connections of a pod as one tunnel carries stay on its home loop: tunnels are per loop, and small writes of connections that
    /// share a tunnel share a TLS record and a system call. What is more goes to the next loops, so that one busy pod can use all cores.
    /// </summary>
    public static PodProxy.ServedLane ForCaptured(IReadOnlyList<PodProxy.ServedLane> lanes, PodProxy.ServedLane home)
    {
        var share = home.Lane.Settings.Tunnel.PoolMaxStreams;
        var start = IndexOf(lanes, home);
        var least = home;
        for (var i = 0; i < lanes.Count; i++)
        {
            var lane = lanes[(start + i) % lanes.Count];
            // Counts of other loops are read without synchronisation: a stale one costs nothing but balance.
            if (lane.Lane.Outbound.Count < share)
                return lane;
            if (lane.Lane.Outbound.Count < least.Lane.Outbound.Count)
                least = lane;
        }
        return least;
    }

    /// <summary>The loop with the fewest connections of this pod; the home loop among equals.</summary>
    public static PodProxy.ServedLane ForArriving(IReadOnlyList<PodProxy.ServedLane> lanes, PodProxy.ServedLane home)
    {
        var best = home;
        foreach (var lane in lanes)
        {
            if (Load(lane) < Load(best))
                best = lane;
        }
        return best;
    }

    private static int Load(PodProxy.ServedLane lane) => lane.Lane.Inbound.Count + lane.Server.Connections;

    private static int IndexOf(IReadOnlyList<PodProxy.ServedLane> lanes, PodProxy.ServedLane wanted)
    {
        for (var i = 0; i < lanes.Count; i++)
        {
            if (ReferenceEquals(lanes[i], wanted))
                return i;
        }
        return 0;
    }
}

using System.Net;
using System.Security.Cryptography.X509Certificates;
using Mesh.Hbone;
using Mesh.Model;
using Mesh.Net;
using Mesh.Runtime.Decisions;
using Mesh.Ztunnel.Dns;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Inbound;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Outbound;

namespace Mesh.Ztunnel.Pods;

/// <summary>What serves one pod: three listeners inside its namespace, and its connections on every loop.</summary>
/// <remarks>
/// One listener per port, on the pod's home loop, and an explicit choice of the loop for each connection (<see cref="LoopPlacement"/>): captured
/// connections of one pod share tunnels only where they share a loop, and a node with hundreds of pods and dozens of loops
/// keeps three listeners per pod instead of hundreds.
/// </remarks>
internal sealed class PodProxy : IPodProxy
{
    private readonly LocalWorkload _workload;
    private readonly IReadOnlyList<ServedLane> _lanes;
    private readonly ServedLane _home;
    private readonly MeshState _mesh;
    private readonly List<LoopListener> _listeners = [];
    private readonly ByteBudget.PodBudget _share;
    private readonly LocalPods? _near;
    private readonly Dictionary<EventLoop, INearPod> _nearLanes;
    private DnsServer? _dns;
    private bool _left;

    /// <summary>A lane together with its tunnel server.</summary>
    internal sealed record ServedLane(PodLane Lane, HboneServer Server, InboundAuthorizer Authorizer)
    {
        public EventLoop Loop => Lane.Services.Loop;
    }

    public PodProxy(LocalWorkload workload, IReadOnlyList<ServedLane> lanes, int home, MeshState mesh, ByteBudget.PodBudget share, LocalPods? near = null)
    {
        _near = near;
        _nearLanes = lanes.ToDictionary(l => l.Loop, INearPod (l) => new NearPod(l.Lane, l.Authorizer));
        _workload = workload;
        _lanes = lanes;
        _home = lanes[home];
        _mesh = mesh;
        _share = share;
        mesh.Changed += OnMeshChanged;
    }

    /// <summary>Opens all ports or none.</summary>
    public async Task ListenAsync(PodPorts ports, Func<PodLane, DnsServer>? dns)
    {
        try
        {
            await _home.Loop.InvokeAsync(() =>
            {
                foreach (var (port, kind) in ports.All)
                {
                    // SOCKS is an open door for whoever reaches it: loopback only.
                    var options = kind == PodPortKind.Socks
                        ? _home.Lane.Sockets.ListenOn(new IPEndPoint(IPAddress.Loopback, port))
                        : _home.Lane.Sockets.Listen(port, keepAlive: kind != PodPortKind.Hbone);
                    _listeners.Add(LoopListener.Listen(_home.Loop, options, socket => OnAccepted(kind, socket)));
                }
                _dns = dns?.Invoke(_home.Lane);
                _dns?.Listen();
                return true;
            });
            if (ports.All.Any(p => p.Kind == PodPortKind.Hbone))
                _near?.Join(_workload.Info, _nearLanes);
        }
        catch
        {
            await StopAsync();
            throw;
        }
    }

    public async Task StopAsync()
    {
        await CloseListenersAsync();
        await OnEveryLane(lane =>
        {
            lane.Lane.CutAll(Ending.PodRemoved);
            lane.Server.Dispose();
            lane.Lane.Pool.Dispose();
        });
    }

    public async Task DrainAsync(CancellationToken forced)
    {
        // (1) No new connections; peers are told to go elsewhere.
        await CloseListenersAsync();
        await OnEveryLane(lane =>
        {
            lane.Server.Drain();
            lane.Lane.Pool.Drain();
        });

        // (2) What is open may finish.
        var idle = await Task.WhenAll(_lanes.Select(lane => lane.Loop.InvokeAsync<Task>(lane.Lane.WhenIdle)));
        var allIdle = Task.WhenAll(idle);
        var end = new TaskCompletionSource();
        await using (forced.Register(end.SetResult))
            await Task.WhenAny(allIdle, end.Task);

        // (3) The rest is cut.
        await OnEveryLane(lane =>
        {
            lane.Lane.CutAll(Ending.Drained);
            lane.Server.Dispose();
            lane.Lane.Pool.Dispose();
        });
    }

    public Task RevokeAsync(Func<IReadOnlyList<X509Certificate2>, bool> isRevoked) =>
        OnEveryLane(lane => PeerRevocation.End(lane.Lane, lane.Server, isRevoked));

    public async Task<PodConnections> ListConnectionsAsync()
    {
        var lists = await Task.WhenAll(_lanes.Select(lane => lane.Loop.InvokeAsync(() =>
            (Inbound: Shown(lane.Lane.Inbound), Outbound: Shown(lane.Lane.Outbound)))));
        return new PodConnections([.. lists.SelectMany(l => l.Inbound)], [.. lists.SelectMany(l => l.Outbound)]);
    }

    public async Task<IReadOnlyList<IDecision>> FindOpenAsync(DecisionQuery query)
    {
        var lists = await Task.WhenAll(_lanes.Select(lane => lane.Loop.InvokeAsync(() =>
            lane.Lane.Outbound.Find(query).Concat(lane.Lane.Inbound.Find(query)).Take(query.Limit).ToList())));
        return [.. lists.SelectMany(l => l)];
    }

    private static List<PodConnection> Shown(ConnectionTracker tracker) =>
        [.. tracker.Summaries.Select(s => new PodConnection(s.Source, s.OriginalDestination, s.ActualDestination, s.Protocol))];

    private void OnAccepted(PodPortKind kind, LoopSocket socket)
    {
        var lane = kind is PodPortKind.Outbound or PodPortKind.Socks ? LoopPlacement.ForCaptured(_lanes, _home) : LoopPlacement.ForArriving(_lanes, _home);
        if (ReferenceEquals(lane, _home))
            Serve(lane, kind, socket);
        else
            socket.MoveTo(lane.Loop, moved => Serve(lane, kind, moved));
    }

    private static void Serve(ServedLane lane, PodPortKind kind, LoopSocket socket)
    {
        switch (kind)
        {
            case PodPortKind.Outbound:
                lane.Loop.Spawn(new OutboundConnection(socket, lane.Lane).RunAsync);
                break;
            case PodPortKind.Plaintext:
                lane.Loop.Spawn(new PassthroughConnection(socket, lane.Lane, lane.Authorizer).RunAsync);
                break;
            case PodPortKind.Socks:
                lane.Loop.Spawn(() => ServeSocksAsync(lane, socket));
                break;
            default:
                lane.Server.Accept(socket);
                break;
        }
    }

    private static async Task ServeSocksAsync(ServedLane lane, LoopSocket socket)
    {
        var names = new NameResolver(lane.Lane);
        // Counted from its acceptance on; the connection itself counts from here.
        var open = lane.Lane.Telemetry.Metrics.SourceSockets.Value;
        open.Increment();
        var wanted = await new SocksHandshake(socket, names.ResolveAsync).RunAsync();
        open.Decrement();
        if (wanted is { } target)
            await new OutboundConnection(socket, lane.Lane, target).RunAsync();
        else
            socket.Dispose();
    }

    /// <summary>Policies or the pod itself changed: every open connection is asked again, on its own loop.</summary>
    private void OnMeshChanged(MeshChange change)
    {
        var local = _workload.Find();
        if (local is null || (change.Policies.Count == 0 && !change.Workloads.Contains(local.Uid)))
            return;
        foreach (var lane in _lanes)
        {
            lane.Loop.Post(() =>
            {
                // The newest snapshot: changes may have come faster than this post.
                if (_workload.Find() is { } current)
                    lane.Lane.Inbound.Reevaluate(_mesh.Current, current);
            });
        }
    }

    private async Task CloseListenersAsync()
    {
        _mesh.Changed -= OnMeshChanged;
        _near?.Leave(_workload.Info, _nearLanes);
        if (!_left)
            _share.Leave();
        _left = true;
        await _home.Loop.InvokeAsync(() =>
        {
            // What the kernel has accepted for us already is served: its clients believe they are connected.
            foreach (var listener in _listeners)
                listener.CloseAfterAccepting();
            _listeners.Clear();
            _dns?.Dispose();
            return true;
        });
    }

    private Task OnEveryLane(Action<ServedLane> action) => Task.WhenAll(_lanes.Select(lane => lane.Loop.InvokeAsync(() =>
    {
        action(lane);
        return true;
    })));
}

using Mesh.Hbone;
using Mesh.Model;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Settings;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Local;

/// <summary>One pod on one loop: what its connections there need. Loop only, except what is immutable.</summary>
internal sealed class PodLane(LoopServices services, LocalWorkload workload, PodSockets sockets, ZtunnelSettings settings, ITunnelCertificates certificates, HboneDialer dialer, HbonePool pool, ByteBudget.PodBudget budget, OnDemand? onDemand = null, LocalPods? near = null)
{
    public LoopServices Services { get; } = services;

    public LocalWorkload Workload { get; } = workload;

    public PodSockets Sockets { get; } = sockets;

    public ZtunnelSettings Settings { get; } = settings;

    public ITunnelCertificates Certificates { get; } = certificates;

    /// <summary>For connections that are not pooled.</summary>
    public HboneDialer Dialer { get; } = dialer;

    /// <summary>Tunnels of this pod from this loop.</summary>
    public HbonePool Pool { get; } = pool;

    /// <summary>Bytes that may wait for slow readers, shared by the pod's lanes.</summary>
    public ByteBudget.PodBudget Budget { get; } = budget;

    /// <summary>Null: the control plane has told everything.</summary>
    public OnDemand? OnDemand { get; } = onDemand;

    /// <summary>Null: every connection goes through a tunnel, also to a pod beside.</summary>
    public LocalPods? Near { get; } = near;

    public ConnectionTracker Outbound { get; } = new();

    public ConnectionTracker Inbound { get; } = new();

    public ConnectionTelemetry Telemetry => Services.Telemetry;

    public Task WhenIdle() => Task.WhenAll(Outbound.WhenEmpty(), Inbound.WhenEmpty());

    public void CutAll(Ending ending)
    {
        Outbound.CutAll(ending);
        Inbound.CutAll(ending);
    }
}

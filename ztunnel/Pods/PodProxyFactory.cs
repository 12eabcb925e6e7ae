using Mesh.Hbone;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Net;
using Mesh.Runtime.Logging;
using Mesh.Ztunnel.Capture;
using Mesh.Ztunnel.Dns;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Inbound;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.Pods;

/// <summary>Everything that pods have in common; makes the proxy of each.</summary>
internal sealed class PodProxyFactory(
    ZtunnelSettings settings,
    IReadOnlyList<LoopServices> loops,
    MeshState mesh,
    MeshTls tls,
    ITunnelCertificates certificates,
    HboneOptions hbone,
    InboundAuthorizer authorizer,
    CaptureInstaller capture,
    LogSink sink,
    ByteBudget budget,
    OnDemand? onDemand,
    bool canBeTransparent) : IPodProxyFactory
{
    private readonly LocalPods? _near = settings.SameNodeFastPath ? new LocalPods() : null;
    private int _nextHome;

    public async Task<IPodProxy> StartAsync(string uid, PodInfo info, PodNetwork network)
    {
        // Asked for now, so that the pod's first connection need not wait for it.
        _ = onDemand?.EnsureWorkloadAsync(uid);
        // What is known on demand cannot answer questions about everything.
        var wanted = settings.ControlPlane is { OnDemand: true } ? info.Capture with { Dns = null } : info.Capture;
        var proxy = Make(info, network.Namespace, canBeTransparent && settings.PreserveSource != false);
        await proxy.ListenAsync(!settings.ProxyEnabled ? PodPorts.None : settings.Socks5 ? PodPorts.WithSocks : PodPorts.Everything, wanted.Dns ?? settings.Dns.Enabled ? Dns : null);
        if (settings.Pods.CaptureRules == CaptureRules.Off || network.Namespace is not { } ns)
            return proxy;
        // Last: from here on traffic comes to us.
        return await CapturedPod.CaptureAsync(proxy, ns, capture.For(wanted), network.MayHoldRules);
    }

    /// <summary>Our own ports, reachable over mTLS.</summary>
    public async Task<IPodProxy> StartSelfAsync(PodInfo self)
    {
        var proxy = Make(self, null, isTransparent: false);
        await proxy.ListenAsync(PodPorts.TunnelOnly, null);
        return proxy;
    }

    private DnsServer Dns(PodLane lane) => new(lane, new DnsResolver(lane, DnsLookup.For(settings), new DnsForwarder(lane, ResolvConf.System), sink));

    private PodProxy Make(PodInfo info, NetworkNamespace? network, bool isTransparent)
    {
        var home = _nextHome++ % loops.Count;
        var workload = new LocalWorkload(mesh, info, loops[0].Loop.Time);
        var sockets = new PodSockets(network, settings, isTransparent);
        var share = budget.Join();
        var lanes = loops.Select(services =>
        {
            var dialer = new HboneDialer(services.Loop, tls, certificates, remote => sockets.Connect(remote), hbone);
            var lane = new PodLane(services, workload, sockets, settings, certificates, dialer, new HbonePool(services.Loop, dialer, hbone), share, onDemand, _near);
            return new PodProxy.ServedLane(lane, new HboneServer(lane, authorizer, tls, hbone), authorizer);
        }).ToList();
        return new PodProxy(workload, lanes, home, mesh, share, _near);
    }
}

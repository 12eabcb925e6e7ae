using System.Net;
using Mesh.Hbone;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Net;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Inbound;

/// <summary>Port 15008 of one pod on one loop: TLS and HTTP/2 are the acceptor's, each CONNECT becomes an <see cref="InboundTunnel"/>.</summary>
internal sealed class HboneServer : ITunnelAcceptor, IDisposable
{
    private readonly PodLane _lane;
    private readonly InboundAuthorizer _authorizer;
    private readonly HboneAcceptor _acceptor;

    public HboneServer(PodLane lane, InboundAuthorizer authorizer, MeshTls tls, HboneOptions options)
    {
        _lane = lane;
        _authorizer = authorizer;
        _acceptor = new HboneAcceptor(lane.Services.Loop, tls, this, options);
    }

    /// <summary>Tunnel connections that stand, handshakes not included.</summary>
    public int Connections => _acceptor.Connections.Count;

    public void Accept(LoopSocket socket)
    {
        _lane.Telemetry.Metrics.DestinationSockets.Value.Increment();
        _acceptor.Accept(socket);
    }

    public int AbortWhere(Func<HboneConnection, bool> condition, string reason) => _acceptor.AbortWhere(condition, reason, Ending.CertificateRevoked);

    public void Drain() => _acceptor.Drain();

    public void Dispose() => _acceptor.Dispose();

    public async ValueTask<CertificateAnswer> GetCertificateAsync() => await _lane.Workload.WaitAsync() is { } local
        ? await _lane.Certificates.GetAsync(local.Identity)
        : new CertificateAnswer(null, _lane.Workload.Missing.Text);

    public void OnTunnel(TunnelRequest request) => _lane.Services.Loop.Spawn(new InboundTunnel(request, _lane, _authorizer).RunAsync);

    public void OnHandshakeFailed(IPEndPoint remote, IPEndPoint local, Ending ending, string error)
    {
        if (ending == Ending.CertificateRevoked)
            _lane.Telemetry.Metrics.CrlRejections.With("destination").Increment();
        new ConnectionReport(_lane.Telemetry, isOutbound: false, remote, local).Complete(new Failure(ending, error));
    }

    public void OnSocketClosed() => _lane.Telemetry.Metrics.DestinationSockets.Value.Decrement();
}

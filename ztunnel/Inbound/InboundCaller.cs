using System.Net;
using Mesh.Hbone;
using Mesh.Model;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Settings;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel.Inbound;

/// <summary>Who is behind a CONNECT: the peer that TLS proved, the client that the pod's own waypoint states, and what labels say of the source.</summary>
internal sealed record InboundCaller(SpiffeId? Peer, SpiffeId? StatedClient, Workload? Source, TrafficPeer? Labels)
{
    public static InboundCaller Of(TunnelRequest request, MeshSnapshot mesh, Workload local, ZtunnelSettings settings)
    {
        var peer = request.PeerIdentity;
        var stated = peer is { } proven && SpiffeId.TryParse(request.Headers.Get(HboneHeaders.ClientPrincipal), out var client) && OwnWaypoint.Is(mesh, local, proven)
            ? client
            : (SpiffeId?)null;

        // An address of another network means nothing here: what the peer says of itself is all there is to label it with.
        var network = request.Headers.Get(HboneHeaders.ForwardedNetwork);
        var isForeign = network is not null && !string.Equals(network, settings.Network, StringComparison.OrdinalIgnoreCase);
        var source = isForeign ? null : mesh.FindWorkload(settings.Network, request.RemoteEndPoint.Address);
        return new InboundCaller(peer, stated, source, source is null && settings.Baggage ? LabelsOf(request) : null);
    }

    public ConnectionContext Context(Workload local, Service? service, IPEndPoint listener, string authority) => new()
    {
        Source = Source,
        SourceLabels = Labels,
        SourceIdentity = Peer,
        ClientIdentity = StatedClient,
        Destination = local,
        DestinationIdentity = local.Identity,
        Service = service,
        IsMutualTls = Peer is not null,
        Hop = listener,
        HboneTarget = authority,
    };

    private static TrafficPeer? LabelsOf(TunnelRequest request)
    {
        if (request.Headers.Get(HboneHeaders.Baggage) is null)
            return null;
        var said = Baggage.Parse(request.Headers.GetAll(HboneHeaders.Baggage));
        return TrafficPeer.FromBaggage(said.ClusterId, said.Namespace, said.WorkloadName, said.ServiceName, said.ServiceVersion, said.Region, said.Zone);
    }
}

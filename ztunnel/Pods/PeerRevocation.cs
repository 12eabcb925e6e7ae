using System.Security.Cryptography.X509Certificates;
using Mesh.Hbone;
using Mesh.Model;
using Mesh.Ztunnel.Inbound;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Pods;

/// <summary>Ends the tunnels of one pod on one loop whose peers were taken back: those that arrived, those that were dialled, and those inside others.</summary>
internal static class PeerRevocation
{
    private const string Reason = "the peer's certificate was revoked";

    public static void End(PodLane lane, HboneServer server, Func<IReadOnlyList<X509Certificate2>, bool> isRevoked)
    {
        bool IsRevoked(HboneConnection connection) => connection.PeerChain is { } chain && isRevoked(chain);
        Count(lane, "destination", server.AbortWhere(IsRevoked, Reason));
        Count(lane, "source", lane.Pool.AbortWhere(IsRevoked, Reason, Ending.CertificateRevoked) + lane.Dialer.AbortInsideWhere(IsRevoked, Reason, Ending.CertificateRevoked));
    }

    private static void Count(PodLane lane, string reporter, int ended)
    {
        if (ended > 0)
            lane.Telemetry.Metrics.CrlRejections.With(reporter).Add(ended);
    }
}

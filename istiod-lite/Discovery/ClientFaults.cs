using Mesh.IstiodLite.Telemetry;
using Mesh.Xds.Server;

namespace Mesh.IstiodLite.Discovery;

/// <summary>Which clients do not have what they should have, in sentences for people.</summary>
internal static class ClientFaults
{
    // Far beyond what a client needs that is alive, below what a person waits before asking.
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);
    // A page that names thousands of clients is read by nobody.
    private const int Named = 20;

    public static IEnumerable<string> Of(IEnumerable<XdsStreamStatus> streams, DateTimeOffset now)
    {
        var faults = streams.SelectMany(s => s.Types.Select(t => Of(s, t, now)).OfType<string>()).ToList();
        return faults.Count <= Named ? faults : [.. faults.Take(Named), $"and {faults.Count - Named} more; see /debug/syncz"];
    }

    private static string? Of(XdsStreamStatus stream, XdsTypeStatus type, DateTimeOffset now)
    {
        if (type.LastPush is not { } push)
            return null;
        var kind = ControlPlaneMetrics.ShortType(type.TypeUrl);
        if (type.LastNack is { } nack && (nack.Nonce == push.Nonce || !type.InSync))
            return $"{stream.Peer.Name} refused {kind}: {nack.Message}; it keeps what it accepted last";
        return !type.InSync && now - push.At > _patience
            ? $"{stream.Peer.Name} has not answered {kind} for {(now - push.At).TotalSeconds:0} s; look whether it hangs"
            : null;
    }
}

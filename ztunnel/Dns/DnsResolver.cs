using Mesh.Runtime.Logging;
using Mesh.Model.Workloads;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Dns;

/// <summary>One question of a pod, answered from the mesh or by the real server.</summary>
/// <remarks>
/// (1) what cannot be a question is refused  (2) whose pod asks  (3) names of the mesh are answered here, always with NOERROR
/// (4) everything else goes to the real server, from the pod's own namespace, and comes back as it is.
/// </remarks>
internal sealed class DnsResolver(PodLane lane, DnsLookup lookup, DnsForwarder forwarder, LogSink sink)
{
    private const int TcpLimit = ushort.MaxValue;
    private const int UdpLimit = 512;

    private readonly Log _log = sink.For("dns");

    /// <returns>Null: nothing that could be answered.</returns>
    public async Task<byte[]?> AnswerAsync(byte[] message, bool isTcp)
    {
        // (1)
        if (DnsQuery.Parse(message, out var malformed) is not { } query)
            return null;
        if (query.IsResponse || malformed)
            return DnsResponse.Write(query, DnsResponseCode.FormErr, authoritative: false, [], TcpLimit);

        // (2)
        if (await lane.Workload.WaitAsync() is not { } client)
            return DnsResponse.Write(query, DnsResponseCode.ServFail, authoritative: false, [], TcpLimit);
        var metrics = lane.Telemetry.Metrics;
        string[] labels = [DnsType.Text(query.Type), isTcp ? "tcp" : "udp", OrUnknown(client.CanonicalName), OrUnknown(client.CanonicalRevision)];
        metrics.DnsRequests.With(labels).Increment();

        // (3)
        if (lookup.Find(lane.Workload.Mesh, client, query, lane.Services.Random) is { } found)
        {
            Note(client, query, found.Result, found.Endpoints);
            var limit = isTcp ? TcpLimit : query.Edns?.UsablePayloadSize ?? UdpLimit;
            return DnsResponse.Write(query, DnsResponseCode.NoError, authoritative: true, found.Records, limit);
        }

        // (4)
        metrics.DnsUpstreamRequests.With(labels).Increment();
        var started = lane.Telemetry.Time.GetTimestamp();
        var (answer, error) = await forwarder.ForwardAsync(message, isTcp);
        metrics.DnsUpstreamDuration.With(labels).Observe(lane.Telemetry.Time.GetElapsedTime(started));
        if (answer is null)
        {
            metrics.DnsUpstreamFailures.With(labels).Increment();
            Note(client, query, $"forwarding failed ({error})", 0);
            return DnsResponse.Write(query, DnsResponseCode.ServFail, authoritative: false, [], TcpLimit);
        }
        var code = (DnsResponseCode)(answer[3] & 0xF);
        if (code != DnsResponseCode.NoError)
            metrics.DnsUpstreamFailures.With(labels).Increment();
        Note(client, query, code == DnsResponseCode.NoError ? "forwarded" : $"forwarding failed (the server answered {code})", (answer[6] << 8) | answer[7]);
        return answer;
    }

    private void Note(Workload client, DnsQuery query, string result, int endpoints)
    {
        if (_log.IsEnabled(LogSeverity.Debug))
        {
            _log.Event(LogSeverity.Debug, string.Empty)
                .Text("src.workload", client.Name).Text("src.namespace", client.Namespace)
                .Text("query", DnsType.Text(query.Type)).Text("domain", query.Name + ".").Text("result", result).Number("endpoints", endpoints).Write();
        }
    }

    private static string OrUnknown(string text) => text.Length > 0 ? text : "unknown";
}

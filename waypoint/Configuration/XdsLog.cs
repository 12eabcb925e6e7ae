using Mesh.Runtime.Logging;
using Mesh.Xds.Client;

namespace Mesh.Waypoint.Configuration;

/// <summary>What the discovery client does, as log lines.</summary>
internal sealed class XdsLog(Log log) : IXdsClientObserver
{
    public void StreamEstablished(int streamId) => log.Event(LogSeverity.Info, "stream established").Number("stream", streamId).Write();

    public void Acknowledged(string typeUrl, int resources, int removed) =>
        log.Event(LogSeverity.Info, "configuration applied").Text("type", typeUrl).Number("resources", resources).Number("removed", removed).Write();

    public void Rejected(string typeUrl, XdsApplyResult result) =>
        log.Event(LogSeverity.Error, "configuration refused; the last good version stays").Text("type", typeUrl).Text("error", result.ErrorText).Write();

    public void StreamEnded(int streamId, XdsTermination reason, string detail, TimeSpan retryIn) =>
        log.Event(LogSeverity.Warn, "stream ended").Number("stream", streamId).Text("error", detail).Milliseconds("retry_in", retryIn).Write();
}

using Mesh.Runtime;
using Mesh.Runtime.Logging;
using Mesh.Xds.Client;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>What the control plane stream does, as log lines and <c>istio_xds_*</c> metrics.</summary>
internal sealed class XdsTelemetry(ZtunnelMetrics metrics, LogSink sink) : IXdsClientObserver
{
    private readonly Log _log = sink.For("xds::client");

    public void StreamEstablished(int streamId) => _log.Info($"Stream established (stream {streamId})");

    public void MessageReceived(string typeUrl, long bytes)
    {
        metrics.XdsMessages.With(typeUrl).Increment();
        metrics.XdsBytes.With(typeUrl).Add(bytes);
    }

    public void Acknowledged(string typeUrl, int resources, int removed)
    {
        if (_log.IsEnabled(LogSeverity.Debug))
            _log.Event(LogSeverity.Debug, "received response").Text("type_url", typeUrl).Number("size", resources).Number("removes", removed).Write();
    }

    public void Rejected(string typeUrl, XdsApplyResult result) =>
        _log.Event(LogSeverity.Error, "resources were rejected, the rest of the response is in use").Text("type_url", typeUrl).Text("error", result.ErrorText).Write();

    public void UnknownType(string typeUrl) => _log.Event(LogSeverity.Error, "a type that nobody asked for").Text("type_url", typeUrl).Write();

    public void StreamEnded(int streamId, XdsTermination reason, string detail, TimeSpan retryIn)
    {
        metrics.XdsTerminations.With(reason.ToString()).Increment();
        _log.Event(LogSeverity.Warn, "XDS client connection ended, state is kept")
            .Number("stream", streamId).Text("reason", reason.ToString()).Text("error", detail).Text("retry_in", DurationText.Format(retryIn)).Write();
    }
}

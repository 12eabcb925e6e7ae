using Mesh.Runtime;
using Mesh.Runtime.Logging;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.Pods;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>What becomes of pods: log lines, metrics, and whether the process is ready to take traffic.</summary>
internal sealed class PodTelemetry(ZtunnelMetrics metrics, LogSink sink, Readiness readiness) : IPodEvents
{
    private const string TaskName = "workload proxy manager";

    private readonly Log _log = sink.For("inpod::statemanager");
    private ReadinessTask? _task = readiness.Register(TaskName);

    public void PodStarted(string uid, PodInfo info) => metrics.ProxiesStarted.Increment();

    public void PodStopped(string uid, PodInfo info)
    {
        metrics.ProxiesStopped.Increment();
        _log.Event(LogSeverity.Info, "proxy stopped").Text("uid", uid).Text("name", info.Name).Text("namespace", info.Namespace).Write();
    }

    public void PodStartFailed(string uid, PodInfo info, string reason) =>
        _log.Event(LogSeverity.Error, "failed to start proxy, it is tried again").Text("uid", uid).Text("name", info.Name).Text("namespace", info.Namespace).Text("error", reason).Write();

    public void PodRepaired(string uid, PodInfo info)
    {
        metrics.CaptureRepairs.Increment();
        _log.Event(LogSeverity.Warn, "somebody had changed the capture rules of a pod, they are written again").Text("uid", uid).Text("name", info.Name).Text("namespace", info.Namespace).Write();
    }

    public void PodRecovered(string uid, PodInfo info) =>
        _log.Event(LogSeverity.Info, "the capture rules of a pod are right again").Text("uid", uid).Text("name", info.Name).Text("namespace", info.Namespace).Write();

    public void PodsChanged(int running, int pending, bool ready)
    {
        metrics.ActiveProxies.Set(running);
        metrics.PendingProxies.Set(pending);
        if (ready)
        {
            _task?.Complete();
            _task = null;
        }
        else
        {
            // Not ready again: nobody would tell us of new pods, or one of them is not served.
            _task ??= readiness.Register(TaskName);
        }
    }
}

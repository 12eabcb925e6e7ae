using System.Text.Json.Nodes;
using System.Threading.Channels;
using Mesh.Kubernetes;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;
using Mesh.Runtime.Logging;

namespace Mesh.Ztunnel.NodeAgent.Cluster;

/// <summary>
/// The annotation by which a control plane knows that a pod is captured and speaks HBONE: <c>ambient.istio.io/redirection</c>, "enabled", "pending"
/// (the rules are there, the listeners are not yet) or absent. Written on the status subresource, so that no right on the pod's spec is needed.
/// </summary>
internal sealed class RedirectionMarks(KubeClient client, Log log) : IAsyncDisposable
{
    public const string Annotation = "ambient.istio.io/redirection";
    public const string Enabled = "enabled";
    public const string Pending = "pending";

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly Channel<(ObjectKey Pod, string? Value)> _waiting = Channel.CreateUnbounded<(ObjectKey, string?)>(new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;

    public void Start() => _running = RunAsync();

    /// <param name="value">Null removes it.</param>
    public void Set(ObjectKey pod, string? value) => _waiting.Writer.TryWrite((pod, value));

    /// <summary>Writes what is waiting, at most for <paramref name="patience"/>.</summary>
    public async Task FlushAsync(TimeSpan patience)
    {
        _waiting.Writer.TryComplete();
        _stop.CancelAfter(patience);
        await _running;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        await Task.Yield();
        try
        {
            await foreach (var (pod, value) in _waiting.Reader.ReadAllAsync(_stop.Token))
            {
                while (!await TryWriteAsync(pod, value))
                    await Task.Delay(Pause, client.Time, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped: the next agent compares again.
        }
    }

    /// <returns>False: later.</returns>
    private async Task<bool> TryWriteAsync(ObjectKey pod, string? value)
    {
        var patch = new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { [Annotation] = value } } };
        try
        {
            await client.MergeAsync(ResourceTypes.Pods, pod.Namespace, pod.Name, patch, "status", _stop.Token);
            return true;
        }
        catch (KubeException e) when (e.Failure is KubeFailure.NotFound)
        {
            return true;
        }
        catch (KubeException e) when (e.IsTransient && e.Failure is not KubeFailure.Forbidden)
        {
            return false;
        }
        catch (KubeException e)
        {
            log.Warn($"pod {pod} cannot be marked as {value ?? "not captured"}, the control plane will not know: {e.Message}");
            return true;
        }
    }
}

using Mesh.Kubernetes;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Recording;
using Mesh.Kubernetes.Requests;
using Mesh.Runtime.Logging;

namespace Mesh.Ztunnel.NodeAgent.Cluster;

/// <summary>
/// Says on pods what is wrong: an Event on the pod that a fault is of, or on the agent's own pod where it is the node's. Called under the lock of
/// <see cref="ClusterPods"/>.
/// </summary>
/// <param name="self">The agent's own pod; null: it is not known, and what concerns the node is in the log only.</param>
internal sealed class ClusterReports(KubeClient client, string node, ObjectKey? self, NodeFaults faults, Log log) : IAsyncDisposable
{
    private readonly EventRecorder _events = new(client, "mesh.io/ztunnel", node, text => log.Warn(text));

    /// <summary>News of the node that came before our own pod was seen: an Event without its uid is in no kubectl describe.</summary>
    private readonly List<(string Reason, string Note)> _waiting = [];
    private readonly Dictionary<string, List<(string Reason, string Note)>> _early = new(StringComparer.Ordinal);
    private PodObject? _self;

    public NodeFaults Faults { get; } = faults;

    public void Start() => _events.Start();

    /// <summary>A pod was seen: something may have happened to it before, and it may be our own.</summary>
    public void Seen(PodObject pod)
    {
        if (pod.Metadata.Uid is { } uid && _early.Remove(uid, out var early))
        {
            foreach (var (reason, note) in early)
                Tell(pod, reason, note);
        }
        if (pod.Key != self)
            return;
        _self = pod;
        foreach (var (reason, note) in _waiting)
            Tell(pod, reason, note);
        _waiting.Clear();
    }

    public void Tell(PodObject pod, string reason, string note) => _events.Record(
        new ObjectReference { ApiVersion = "v1", Kind = "Pod", Namespace = pod.Key.Namespace, Name = pod.Key.Name, Uid = pod.Metadata.Uid }, warning: true, reason, "Capture", note);

    /// <summary>News of a pod that is served because the agent knew it, while nobody can be told: kept until the API server names the pod.</summary>
    public void TellLater(string uid, string reason, string note)
    {
        if (!_early.TryGetValue(uid, out var early))
            _early[uid] = early = [];
        if (!early.Contains((reason, note)))
            early.Add((reason, note));
    }

    /// <summary>The pod is captured: that it was not is no news any more.</summary>
    public void Captured(string uid) => _early.GetValueOrDefault(uid)?.RemoveAll(e => e.Reason is nameof(NodeFault.CaptureFailed) or nameof(NodeFault.NamespaceNotFound));

    /// <summary>Every pod of the node is known: what is still kept is of pods that are gone.</summary>
    public void AllSeen()
    {
        foreach (var uid in _early.Keys)
            Faults.Forget(uid);
        _early.Clear();
    }

    /// <summary>A fault of a pod. Told when it is news.</summary>
    public void Report(PodObject pod, NodeFault fault, string note)
    {
        if (Faults.Set(fault, pod.Metadata.Uid!, note))
            Tell(pod, fault.ToString(), note);
    }

    /// <summary>A fault of the node. Told when it is news.</summary>
    public void ReportNode(NodeFault fault, string subject, string note)
    {
        if (!Faults.Set(fault, subject, note))
            return;
        log.Warn(note);
        TellNode(fault.ToString(), note);
    }

    /// <summary>What still stands is told again: API servers forget Events after an hour, and whoever looks then must find it.</summary>
    public void TellAgain(Func<string, PodObject?> find)
    {
        foreach (var (fault, subject, text) in Faults.All())
        {
            if (fault is NodeFault.NotCaptured or NodeFault.UnknownValue or NodeFault.NamespaceNotFound or NodeFault.CaptureFailed)
            {
                if (find(subject) is { } pod)
                    Tell(pod, fault.ToString(), text);
            }
            else if (fault is not NodeFault.ApiServerAway)
            {
                // That it is away it can only be told when it is back.
                TellNode(fault.ToString(), text);
            }
        }
    }

    /// <summary>What the API server could not be told while it happened.</summary>
    public void TellNode(string reason, string note)
    {
        if (_self is { } pod)
            Tell(pod, reason, note);
        else if (self is not null && !_waiting.Contains((reason, note)))
            _waiting.Add((reason, note));
    }

    public ValueTask DisposeAsync() => _events.DisposeAsync();
}

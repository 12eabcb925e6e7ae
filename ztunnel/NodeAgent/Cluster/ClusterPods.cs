using System.Collections.Immutable;
using System.Net;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Mesh.Kubernetes;
using Mesh.Kubernetes.Informers;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;
using Mesh.Model.Collections;
using Mesh.Runtime.Logging;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.NodeAgent.Cluster;

/// <summary>Where this agent runs.</summary>
/// <param name="Node">Only pods that are scheduled here are of interest.</param>
/// <param name="Home">The namespace of the mesh's own pods.</param>
/// <param name="Pod">The agent's own pod in it, which carries the Events about the node; null: not known.</param>
internal sealed record ClusterPlace(string Node, string Home, string? Pod = null);

/// <summary>What becomes of a pod that the CNI plugin named.</summary>
internal enum Announcement
{
    NotOurs,
    UnderWay,
    Captured,
}

/// <summary>
/// The pods of this node that opted in, from the API server: watches the node's pods and all namespaces, applies <see cref="EnrolmentRule"/>, marks what
/// is captured and says on pods why they are not. Informers call from their own tasks; all state is under <see cref="_gate"/>.
/// </summary>
internal sealed class ClusterPods : INodePods, IAsyncDisposable
{
    /// <summary>So long an agent waits for the API server before it serves the pods that it knew.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Of pods and of namespaces: what is there is known when both are complete.</summary>
    private const int Informers = 2;

    private readonly KubeClient _client;
    private readonly ClusterPlace _place;
    private readonly EnrolmentRule _rule;
    private readonly KnownPodsFile? _file;
    private readonly ClusterReports _reports;
    private readonly RedirectionMarks _marks;
    private readonly Log _log;
    private readonly Informer<PodObject> _podInformer;
    private readonly Informer<NamespaceObject> _namespaceInformer;
    private readonly Channel<IReadOnlyList<NodePod>> _sets = Channel.CreateBounded<IReadOnlyList<NodePod>>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    private readonly Lock _gate = new();
    private readonly Dictionary<ObjectKey, PodObject> _pods = [];
    private readonly Dictionary<string, IReadOnlyDictionary<string, string>> _labels = new(StringComparer.Ordinal);
    private readonly Dictionary<string, NodePod> _given = new(StringComparer.Ordinal);
    private readonly HashSet<string> _captured = new(StringComparer.Ordinal);
    private ImmutableArray<NodePod> _last;
    private int _synced;
    private bool _leaving;
    private long? _awaySince;
    private ITimer? _again;
    private int? _servedFromFile;

    public ClusterPods(KubeClient client, ClusterPlace place, EnrolmentRule rule, KnownPodsFile? file, NodeFaults faults, LogSink sink)
    {
        (_client, _place, _rule, _file, _log) = (client, place, rule, file, sink.For("nodeagent"));
        _reports = new ClusterReports(client, place.Node, place.Pod is { } own ? new ObjectKey(place.Home, own) : null, faults, _log);
        _marks = new RedirectionMarks(client, _log);
        var options = new InformerOptions();
        _podInformer = new Informer<PodObject>(
            client, ResourceChoice.Of(ResourceTypes.Pods), null, new Selection { Fields = $"spec.nodeName={place.Node}" },
            raw => System.Text.Json.JsonSerializer.Deserialize(raw.Json.Span, ClusterJson.Default.PodObject), new Handler<PodObject>(this, TakePod), options);
        _namespaceInformer = new Informer<NamespaceObject>(
            client, ResourceChoice.Of(ResourceTypes.Namespaces), null, Selection.All,
            raw => System.Text.Json.JsonSerializer.Deserialize(raw.Json.Span, ClusterJson.Default.NamespaceObject), new Handler<NamespaceObject>(this, TakeNamespace), options);
    }

    /// <summary>How often what still stands is told again.</summary>
    public TimeSpan TellAgain { get; init; } = TimeSpan.FromMinutes(20);

    /// <summary>An API server that was away for a shorter time is nothing to tell: it was restarted.</summary>
    public TimeSpan Worrying { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Not on a loop: what goes on here would be its work, and end with it.</summary>
    public void Start()
    {
        _marks.Start();
        _reports.Start();
        _podInformer.Start();
        _namespaceInformer.Start();
        _again = _client.Time.CreateTimer(_ =>
        {
            lock (_gate)
                _reports.TellAgain(uid => KeyOfLocked(uid) is { } key ? _pods[key] : null);
        }, null, TellAgain, TellAgain);
    }

    public async IAsyncEnumerable<IReadOnlyList<NodePod>> WatchAsync([EnumeratorCancellation] CancellationToken stop)
    {
        var first = _sets.Reader.WaitToReadAsync(stop).AsTask();
        if (await Task.WhenAny(first, Task.Delay(Patience, _client.Time, stop)) != first && _file?.Read() is { Count: > 0 } known)
        {
            _log.Warn($"the API server does not answer ({_podInformer.Health}); the {known.Count} pods that were known are served until it does");
            lock (_gate)
            {
                _servedFromFile = known.Count;
                _reports.Faults.Set(NodeFault.ApiServerAway, string.Empty, "the API server does not answer");
            }
            yield return known;
        }
        await foreach (var set in _sets.Reader.ReadAllAsync(stop))
        {
            Keep(set);
            yield return set;
        }
    }

    private void Keep(IReadOnlyList<NodePod> set)
    {
        if (_file is null)
            return;
        var failure = _file.Write(set);
        lock (_gate)
        {
            if (failure is null)
                _reports.Faults.Clear(NodeFault.StateNotKept, string.Empty);
            else
                _reports.ReportNode(NodeFault.StateNotKept, string.Empty, failure);
        }
    }

    /// <summary>The API server told its time.</summary>
    public void TakeServerDate(DateTimeOffset date)
    {
        lock (_gate)
        {
            if (NodeSurroundings.ClockSkew(_client.Time.GetUtcNow() - date, _place.Node) is { } skew)
                _reports.ReportNode(NodeFault.ClockSkew, string.Empty, skew);
            else
                _reports.Faults.Clear(NodeFault.ClockSkew, string.Empty);
        }
    }

    /// <summary>A pod that its runtime is about to start, named by the CNI plugin before anybody else knows its namespace.</summary>
    public async Task<Announcement> AnnounceAsync(ObjectKey key, string namespacePath, IReadOnlyList<IPAddress> addresses, CancellationToken cancel)
    {
        // The plugin runs as soon as the kubelet has the pod, which may be before our watch has it.
        var pod = Find(key) is { Metadata.DeletionTimestamp: null } seen ? seen : await _client.GetAsync(ResourceTypes.Pods.ObjectPath(key.Namespace, key.Name), ClusterJson.Default.PodObject, cancel);
        var labels = Labels(key.Namespace) ?? (await _client.GetAsync(ResourceTypes.Namespaces.ObjectPath(null, key.Namespace), ClusterJson.Default.NamespaceObject, cancel)).Metadata.Labels;
        if (_rule.Judge(pod, labels) is not Enrolment.Enrolled)
            return Announcement.NotOurs;
        lock (_gate)
        {
            var uid = pod.Metadata.Uid!;
            var given = new NodePod(uid, InfoOf(pod), addresses.ToValueList(), namespacePath);
            // The runtime asks again when it did not get our answer.
            if (_captured.Contains(uid) && _given.GetValueOrDefault(uid) == given)
                return Announcement.Captured;
            _given[uid] = given;
            _pods.TryAdd(key, pod);
            PublishLocked();
        }
        return Announcement.UnderWay;
    }

    public void Captured(string uid)
    {
        lock (_gate)
        {
            _captured.Add(uid);
            _reports.Faults.Clear(NodeFault.CaptureFailed, uid);
            _reports.Faults.Clear(NodeFault.NamespaceNotFound, uid);
            _reports.Captured(uid);
            if (KeyOfLocked(uid) is { } key)
                _marks.Set(key, RedirectionMarks.Enabled);
        }
    }

    public void CaptureFailed(string uid, string reason)
    {
        lock (_gate)
        {
            _captured.Remove(uid);
            if (KeyOfLocked(uid) is { } key)
                _marks.Set(key, RedirectionMarks.Pending);
            else if (_synced == Informers)
                return;
            var note = $"the pod is not in the mesh yet, it is tried again: {reason}";
            _reports.Faults.Set(NodeFault.CaptureFailed, uid, note);
            // Also when it is no news: each try counts in the Event's series.
            TellLocked(uid, nameof(NodeFault.CaptureFailed), note);
        }
    }

    public void NotFound(NodePod pod, string reason)
    {
        lock (_gate)
        {
            if (KeyOfLocked(pod.Uid) is null && _synced == Informers)
                return;
            var note = $"the pod asked to be in the mesh and is not: {reason}; it is looked for further. Look whether the agent sees the node's processes (/host/proc) and network namespaces (/var/run/netns)";
            if (_reports.Faults.Set(NodeFault.NamespaceNotFound, pod.Uid, note))
                TellLocked(pod.Uid, nameof(NodeFault.NamespaceNotFound), note);
        }
    }

    /// <summary>The rules inside the pod were not those that were written, and are again.</summary>
    public void Repaired(string uid)
    {
        lock (_gate)
            TellLocked(uid, "RulesRepaired", "the capture rules in the pod's network namespace had been changed or removed by another program, or were left half written by an earlier agent, and were written again; until then its traffic may have passed outside the mesh");
    }

    public void Released(string uid)
    {
        lock (_gate)
        {
            // A process that ends leaves its pods captured for its successor.
            if (_captured.Remove(uid) && !_leaving && KeyOfLocked(uid) is { } key)
                _marks.Set(key, null);
        }
    }

    /// <summary>Whether this end is for good: the DaemonSet is gone or going, or we may not even ask any more.</summary>
    public async Task<bool> IsUninstalledAsync(TimeSpan patience)
    {
        using var limit = new CancellationTokenSource(patience, _client.Time);
        try
        {
            var set = await _client.GetAsync(ResourceTypes.DaemonSets.ObjectPath(_place.Home, "ztunnel"), KubeJson.Default.PartialObject, limit.Token);
            return set.Metadata.DeletionTimestamp is not null;
        }
        catch (KubeException e)
        {
            return e.Failure is KubeFailure.NotFound or KubeFailure.Unauthorized or KubeFailure.Forbidden;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>How the CNI plugin is; null: chained.</summary>
    public void TakePlugin(string? failure)
    {
        lock (_gate)
        {
            if (failure is null)
                _reports.Faults.Clear(NodeFault.CniNotChained, string.Empty);
            else
                _reports.ReportNode(NodeFault.CniNotChained, string.Empty, failure);
        }
    }

    /// <summary>From here on marks stay as they are: the pods remain captured.</summary>
    public void Leave()
    {
        lock (_gate)
            _leaving = true;
    }

    public async ValueTask DisposeAsync()
    {
        if (_again is not null)
            await _again.DisposeAsync();
        await _podInformer.DisposeAsync();
        await _namespaceInformer.DisposeAsync();
        await _marks.FlushAsync(TimeSpan.FromSeconds(2));
        await _marks.DisposeAsync();
        await _reports.DisposeAsync();
        _client.Dispose();
    }

    private void TakePod(InformerChange<PodObject> change)
    {
        if (change.After is { } pod)
        {
            // Captured while nobody could be told.
            if (_pods.GetValueOrDefault(change.Key)?.Metadata.Uid != pod.Metadata.Uid && _captured.Contains(pod.Metadata.Uid!) && pod.Annotation(RedirectionMarks.Annotation) != RedirectionMarks.Enabled)
                _marks.Set(change.Key, RedirectionMarks.Enabled);
            _pods[change.Key] = pod;
            _reports.Seen(pod);
        }
        else if (_pods.Remove(change.Key, out var gone) && gone.Metadata.Uid is { } uid)
        {
            _given.Remove(uid);
            _reports.Faults.Forget(uid);
        }
    }

    private void TakeNamespace(InformerChange<NamespaceObject> change)
    {
        if (change.After is { } ns)
            _labels[change.Key.Name] = ns.Metadata.Labels ?? ImmutableDictionary<string, string>.Empty;
        else
            _labels.Remove(change.Key.Name);
    }

    private void TakeHealth(InformerHealth health)
    {
        if (health is { State: InformerState.Retrying, Problem: { } problem })
        {
            _log.Warn($"{problem}; what is known stays");
            _reports.Faults.Set(NodeFault.ApiServerAway, health.Kind, problem);
            lock (_gate)
                _awaySince ??= _client.Time.GetTimestamp();
        }
        else if (health.Problem is null && health.State is InformerState.Watching && _reports.Faults.Clear(NodeFault.ApiServerAway, health.Kind))
        {
            _log.Info($"the API server answers again ({health})");
            lock (_gate)
                TellOfAbsenceLocked();
        }
    }

    private void TellOfAbsenceLocked()
    {
        if (_awaySince is not { } since || _reports.Faults.Count(NodeFault.ApiServerAway) > 0)
            return;
        _awaySince = null;
        // Of a start it is told in words of its own.
        if (_synced == Informers && _servedFromFile is null && _client.Time.GetElapsedTime(since) >= Worrying)
            _reports.TellNode(nameof(NodeFault.ApiServerAway), "the API server did not answer for a while: the pods that were known were served, new ones and changed labels had to wait");
    }

    private void PublishLocked()
    {
        if (_synced < Informers)
            return;
        _reports.AllSeen();
        if (_servedFromFile is { } served)
        {
            _servedFromFile = null;
            _reports.Faults.Clear(NodeFault.ApiServerAway, string.Empty);
            _reports.TellNode(nameof(NodeFault.ApiServerAway), $"the API server did not answer when this agent started: the {served} pods that it knew were served until now");
        }
        var set = ImmutableArray.CreateBuilder<NodePod>();
        foreach (var pod in _pods.Values.OrderBy(p => p.Metadata.Uid, StringComparer.Ordinal))
        {
            var enrolment = _rule.Judge(pod, _labels.GetValueOrDefault(pod.Key.Namespace));
            ExplainLocked(pod, enrolment);
            if (enrolment is Enrolment.Enrolled)
            {
                if (NodePodOf(pod) is { } known)
                    set.Add(known);
            }
            else if (pod.Annotation(RedirectionMarks.Annotation) is not null && !_captured.Contains(pod.Metadata.Uid!))
            {
                // Left behind by an agent that ended before it could take it back.
                _marks.Set(pod.Key, null);
            }
        }
        var now = set.ToImmutable();
        if (!_last.IsDefault && _last.AsSpan().SequenceEqual(now.AsSpan()))
            return;
        _last = now;
        _sets.Writer.TryWrite(now);
    }

    private void ExplainLocked(PodObject pod, Enrolment enrolment)
    {
        var uid = pod.Metadata.Uid!;
        if (EnrolmentRule.Explain(enrolment) is { } why)
            _reports.Report(pod, NodeFault.NotCaptured, why);
        else
            _reports.Faults.Clear(NodeFault.NotCaptured, uid);
        if (enrolment is Enrolment.Enrolled && NodeSurroundings.UnknownValue(pod) is { } unknown)
            _reports.Report(pod, NodeFault.UnknownValue, unknown);
        else
            _reports.Faults.Clear(NodeFault.UnknownValue, uid);
        if (NodeSurroundings.SecondMesh(pod, _place.Home) is { } second)
            _reports.ReportNode(NodeFault.SecondMesh, uid, second);
        else
            _reports.Faults.Clear(NodeFault.SecondMesh, uid);
    }

    /// <returns>Null: it has no address yet, and no plugin has named its namespace.</returns>
    private NodePod? NodePodOf(PodObject pod)
    {
        var addresses = pod.Status.Addresses.Select(a => IPAddress.TryParse(a, out var parsed) ? parsed : null).OfType<IPAddress>().ToValueList();
        if (_given.TryGetValue(pod.Metadata.Uid!, out var given))
            return addresses.IsEmpty ? given : given with { Addresses = addresses };
        return addresses.IsEmpty ? null : new NodePod(pod.Metadata.Uid!, InfoOf(pod), addresses);
    }

    private static PodInfo InfoOf(PodObject pod) => new(pod.Key.Name, pod.Key.Namespace, pod.Spec.ServiceAccountName is { Length: > 0 } account ? account : "default") { Capture = PodCapture.Of(pod.Metadata.Annotations) };

    private PodObject? Find(ObjectKey key)
    {
        lock (_gate)
            return _pods.GetValueOrDefault(key);
    }

    private IReadOnlyDictionary<string, string>? Labels(string ns)
    {
        lock (_gate)
            return _labels.GetValueOrDefault(ns);
    }

    /// <summary>At once, or as soon as the API server has named the pod. What is known to be gone is not told of.</summary>
    private void TellLocked(string uid, string reason, string note)
    {
        if (KeyOfLocked(uid) is { } key)
            _reports.Tell(_pods[key], reason, note);
        else if (_synced < Informers)
            _reports.TellLater(uid, reason, note);
    }

    private ObjectKey? KeyOfLocked(string uid) => _pods.FirstOrDefault(p => p.Value.Metadata.Uid == uid) is { Value: not null } found ? found.Key : null;

    private sealed class Handler<T>(ClusterPods owner, Action<InformerChange<T>> take) : IInformerHandler<T>
        where T : class
    {
        private bool _isSynced;

        public void OnChanged(InformerChange<T> change)
        {
            lock (owner._gate)
            {
                take(change);
                if (_isSynced)
                    owner.PublishLocked();
            }
        }

        public void OnSynced()
        {
            lock (owner._gate)
            {
                if (!_isSynced)
                    owner._synced++;
                _isSynced = true;
                owner.PublishLocked();
            }
        }

        public void OnHealth(InformerHealth health) => owner.TakeHealth(health);
    }
}

using Mesh.IstiodLite.Push;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Documents;
using Mesh.IstiodLite.Telemetry;
using Mesh.Kubernetes.Recording;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Leadership;

/// <summary>What is wrong with an object is an Event on it, where its writer looks first: kubectl describe.</summary>
/// <param name="again">So often what still stands is told: API servers forget Events after an hour.</param>
internal sealed class ClusterEvents(EventRecorder recorder, Reconciler mesh, TimeSpan again, Health health, TimeProvider time, Log? log) : LeaderTask("events", health, time, log)
{
    private readonly TimeProvider _time = time;
    private readonly Dictionary<Problem, long> _told = [];

    protected override void BeginTerm() => _told.Clear();

    /// <summary>Any thread. Warnings that repeat become a series.</summary>
    public static void Tell(EventRecorder recorder, Resource resource, string reason, string text) => recorder.Record(Reference(resource), warning: true, reason, "Reconcile", text);

    protected override Task ReconcileAsync(CancellationToken cancellation)
    {
        var state = mesh.Current;
        var problems = mesh.Found;
        foreach (var over in _told.Keys.Except(problems).ToList())
            _told.Remove(over);
        foreach (var problem in problems.Where(p => !_told.TryGetValue(p, out var told) || _time.GetElapsedTime(told) >= again))
        {
            _told[problem] = _time.GetTimestamp();
            if (KeyOf(problem.Document) is { } key && state.Folder.Resources.Find(key) is { } resource)
                recorder.Record(Reference(resource), warning: true, problem.Severity is ProblemSeverity.Error ? "Refused" : "Suspicious", "Translate", $"{problem.Reason}; {problem.Fix}");
        }
        return Task.CompletedTask;
    }

    /// <summary>Of what <see cref="ResourceKey.ToString"/> writes.</summary>
    private static ResourceKey? KeyOf(string document)
    {
        var kind = document.IndexOf(' ', StringComparison.Ordinal);
        if (kind < 0)
            return null;
        var name = document[(kind + 1)..];
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        return slash < 0 ? new ResourceKey(document[..kind], string.Empty, name) : new ResourceKey(document[..kind], name[..slash], name[(slash + 1)..]);
    }

    private static ObjectReference Reference(Resource resource)
    {
        var known = KnownKinds.All.First(k => k.Kind == resource.Kind);
        return new ObjectReference
        {
            ApiVersion = known.Group.Length == 0 ? known.Versions[0] : $"{known.Group}/{known.Versions[0]}",
            Kind = resource.Kind,
            Namespace = resource.Namespace.Length == 0 ? null : resource.Namespace,
            Name = resource.Name,
            Uid = resource.Meta.Uid.Length == 0 ? null : resource.Meta.Uid,
        };
    }
}

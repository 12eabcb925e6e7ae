using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Files;
using Mesh.IstiodLite.Telemetry;
using Mesh.IstiodLite.Translation;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Push;

/// <summary>What is in force now, as one consistent picture.</summary>
internal sealed record MeshState(FolderState Folder, Translated Translated, IReadOnlyList<Problem> Problems);

/// <summary>
/// From documents and registrations to tables: (1) translate  (2) publish  (3) become the current state. One change set at a time, on the thread that brings it; whoever
/// reads <see cref="Current"/> sees either the old or the new picture.
/// </summary>
internal sealed class Reconciler(MeshSettings settings, Publisher publisher, AddressBookFile book, ControlPlaneMetrics metrics, TimeProvider time, Log? log) : IMeshView
{
    private volatile MeshState? _current;

    // under _gate
    private readonly Lock _gate = new();
    private FolderState? _folder;
    private ResourceSet _instances = ResourceSet.Empty;
    private ResourceSet _all = ResourceSet.Empty;

    public MeshState Current => _current ?? throw new InvalidOperationException("nothing has been translated yet");
    public ResourceSet Resources => Current.Translated.Resources;
    public string TrustDomain => Current.Translated.Settings.TrustDomain;
    public string SystemNamespace => Current.Translated.Settings.SystemNamespace;

    /// <summary>Set once the source is there.</summary>
    public Func<Task> Refresh { get; set; } = () => Task.CompletedTask;

    public Task RefreshAsync() => Refresh();

    /// <summary>For the readiness page.</summary>
    public IEnumerable<string> Faults()
    {
        var errors = _current?.Problems.Count(p => p.Severity is ProblemSeverity.Error) ?? 0;
        return errors == 0 ? [] : [$"{errors} refused, of which {_current!.Folder.KeptDocuments} stay in force in their last good version; see /debug/problems"];
    }

    /// <summary>The folder says something else.</summary>
    public void Apply(FolderState folder, long noticed)
    {
        lock (_gate)
        {
            _folder = folder;
            // A document counts more than a registration of the same name.
            Take([.. folder.Changes.Select(c => new ResourceChange(_all.Find(c.Key), c.After ?? _instances.Find(c.Key)))]);
            Translate(noticed);
        }
    }

    /// <summary>Registered instances changed. When it returns the change is in force.</summary>
    public void ApplyInstances(IReadOnlyList<ResourceChange> changes)
    {
        lock (_gate)
        {
            _instances = _instances.With([.. changes.Select(c => new ResourceChange(_instances.Find(c.Key), c.After))]);
            Take([.. changes.Select(c => new ResourceChange(_all.Find(c.Key), _folder?.Resources.Find(c.Key) ?? c.After))]);
            // Before the first look at the folder there is nothing to translate; the look takes the instances along.
            if (_folder is not null)
                Translate(time.GetTimestamp());
        }
    }

    private void Take(IReadOnlyList<ResourceChange> changes) => _all = _all.With([.. changes.Where(c => !ReferenceEquals(c.Before, c.After))]);

    private void Translate(long noticed)
    {
        var folder = _folder!;
        metrics.ConfigurationEvents.Increment();
        Translated translated;
        try
        {
            // (1)
            translated = MeshTranslator.Translate(_all, settings, _current?.Translated.Book ?? book.Read());
        }
        catch (Exception e) when (_current is not null)
        {
            // A fault of ours must not take the mesh's configuration away.
            log?.Error($"the change could not be translated, the state before it stays: {e}");
            var last = _current;
            _current = last with { Folder = folder, Problems = [.. folder.Problems, new Problem("", 0, "", ProblemSeverity.Error, $"internal error, the last good state stays: {e.Message}", "undo the last change and report this")] };
            return;
        }

        // (2)
        var changed = publisher.Publish(translated, noticed);
        metrics.PushTime.Observe(time.GetElapsedTime(noticed));
        if (book.IsBehind || !ReferenceEquals(translated.Book, _current?.Translated.Book))
            book.Write(translated.Book);

        // (3)
        var before = _current?.Problems ?? [];
        IReadOnlyList<Problem> problems = [.. folder.Problems, .. translated.Problems];
        _current = new MeshState(folder, translated, problems);
        Report(folder, translated, problems);
        foreach (var problem in problems.Except(before))
            Tell(problem);
        log?.Info($"{folder.Resources.Count} documents in {folder.Files} files in force, {changed} resources changed, {problems.Count} problems");
    }

    private void Report(FolderState folder, Translated translated, IReadOnlyList<Problem> problems)
    {
        metrics.Documents.Set(folder.Resources.Count);
        metrics.KeptDocuments.Set(folder.KeptDocuments);
        metrics.Services.Set(translated.Addresses.Values.Count(a => a.Address.Service is not null));
        metrics.VirtualServices.Set(translated.Resources.VirtualServices.Count);
        metrics.Problems.With("error").Set(problems.Count(p => p.Severity is ProblemSeverity.Error));
        metrics.Problems.With("warning").Set(problems.Count(p => p.Severity is ProblemSeverity.Warning));
    }

    private void Tell(Problem problem)
    {
        var text = $"{problem.File}:{problem.Line} {problem.Document}: {problem.Reason}; {problem.Fix}";
        if (problem.Severity is ProblemSeverity.Error)
            log?.Error(text);
        else
            log?.Warn(text);
    }
}

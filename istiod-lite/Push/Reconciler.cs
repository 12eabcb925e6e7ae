using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Files;
using Mesh.IstiodLite.Telemetry;
using Mesh.IstiodLite.Translation;
using Mesh.IstiodLite.Translation.Incremental;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Push;

/// <summary>What is in force now, as one consistent picture.</summary>
internal sealed record MeshState(FolderState Folder, Translated Translated, Lazy<IReadOnlyList<Problem>> ProblemSource)
{
    public IReadOnlyList<Problem> Problems => ProblemSource.Value;
}

/// <summary>
/// From documents and registrations to tables: (1) translate  (2) publish  (3) become the current state. One change set at a time, on the thread that brings it; whoever
/// reads <see cref="Current"/> sees either the old or the new picture.
/// </summary>
internal sealed class Reconciler(MeshSettings settings, Publisher publisher, AddressBookFile book, ControlPlaneMetrics metrics, TimeProvider time, Log? log) : IMeshView
{
    private volatile MeshState? _current;

    /// <summary>The current state is another one; raised on the thread that brought the change.</summary>
    public event Action? Applied;

    // under _gate
    private readonly Lock _gate = new();
    private FolderState? _folder;
    private ResourceSet _instances = ResourceSet.Empty;
    private ResourceSet _all = ResourceSet.Empty;
    private readonly List<ResourceChange> _changes = [];
    private MeshTranslation? _translation;
    private volatile IReadOnlyList<Problem> _told = [];
    private IReadOnlyList<Problem> _toldOfFolder = [];

    public MeshState Current => _current ?? throw new InvalidOperationException("nothing has been translated yet");
    public ResourceSet Resources => Current.Translated.Resources;
    public string TrustDomain => Current.Translated.Settings.TrustDomain;
    public string SystemNamespace => Current.Translated.Settings.SystemNamespace;

    /// <summary>What is wrong as it was found when documents changed last: looking again for each pod that comes or goes would look at the whole mesh.</summary>
    public IReadOnlyList<Problem> Found => _told;

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

    private void Take(IReadOnlyList<ResourceChange> changes)
    {
        List<ResourceChange> real = [.. changes.Where(c => !ReferenceEquals(c.Before, c.After))];
        _all = _all.With(real);
        _changes.AddRange(real);
    }

    private void Translate(long noticed)
    {
        var folder = _folder!;
        metrics.ConfigurationEvents.Increment();
        List<ResourceChange> changes = [.. _changes];
        _changes.Clear();
        Translated translated;
        try
        {
            // (1)
            _translation ??= new MeshTranslation(settings, book.Read());
            translated = _translation.Apply(_all, changes);
        }
        catch (Exception e) when (_current is not null)
        {
            // A fault of ours must not take the mesh's configuration away.
            log?.Error($"the change could not be translated, the state before it stays: {e}");
            var last = _current;
            _current = last with { Folder = folder, ProblemSource = new([.. folder.Problems, new Problem("", 0, "", ProblemSeverity.Error, $"internal error, the last good state stays: {e.Message}", "undo the last change and report this")]) };
            return;
        }

        // (2)
        var changed = publisher.Publish(translated, noticed);
        metrics.PushTime.Observe(time.GetElapsedTime(noticed));
        if (book.IsBehind || !ReferenceEquals(translated.Book, _current?.Translated.Book))
            book.Write(translated.Book);

        // (3)
        var isFirst = _current is null;
        var state = new MeshState(folder, translated, new(() => [.. folder.Problems, .. translated.Problems]));
        _current = state;
        metrics.Documents.Set(folder.Resources.Count);
        metrics.KeptDocuments.Set(folder.KeptDocuments);
        metrics.Services.Set(translated.Services);
        metrics.VirtualServices.Set(translated.Resources.VirtualServices.Count);
        try
        {
            // Looking for mistakes means looking at everything: when instances come and go nothing is wrong with documents that was right before.
            if (isFirst || !folder.Problems.SequenceEqual(_toldOfFolder) || changes.Exists(c => (c.After ?? c.Before) is not (Pod or EndpointSlice or WorkloadEntry or Node)))
                Report(state);
        }
        finally
        {
            // Afterwards, because Events tell of what was found; in any case, because the change is in force.
            Applied?.Invoke();
        }
        log?.Debug($"{folder.Resources.Count} documents in {folder.Files} files in force, {changed} resources changed");
    }

    private void Report(MeshState state)
    {
        var problems = state.Problems;
        foreach (var problem in problems.Except(_told))
            Tell(problem);
        (_told, _toldOfFolder) = (problems, state.Folder.Problems);
        log?.Info($"{state.Folder.Resources.Count} documents in {state.Folder.Files} files in force, {problems.Count} problems");
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

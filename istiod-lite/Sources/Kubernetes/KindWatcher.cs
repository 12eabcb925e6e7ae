using Mesh.Kubernetes.Informers;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Sources.Kubernetes;

/// <summary>The informer of one kind: passes changes on and says once what begins to fail and what works again.</summary>
internal sealed class KindWatcher : IInformerHandler<ClusterObject>
{
    private readonly Action<InformerChange<ClusterObject>> _changed;
    private readonly Log? _log;
    private string? _problem;
    private InformerState _state;

    public KindWatcher(KubeClient client, WatchedKind kind, InformerOptions options, Action<InformerChange<ClusterObject>> changed, Log? log)
    {
        _changed = changed;
        _log = log;
        Informer = new Informer<ClusterObject>(client, kind.Choice, kind.Namespace, kind.Selection, item => ClusterObject.Decode(kind.Known, item), this, options);
    }

    public Informer<ClusterObject> Informer { get; }

    public void OnChanged(InformerChange<ClusterObject> change)
    {
        // The same in every field that is read: a heartbeat, or our own status.
        if (change.After?.IsSameAs(change.Before) is not true)
            _changed(change);
    }

    public void OnSynced()
    {
    }

    public void OnHealth(InformerHealth health)
    {
        if (health.Problem is not null && _problem is null)
            _log?.Warn($"{health}; the last known state is served");
        else if (health.Problem is null && _problem is not null)
            _log?.Info($"{health.Kind}: works again");
        if (health.State is InformerState.NotInstalled && _state is not InformerState.NotInstalled)
            _log?.Info($"{health.Kind} is not installed; it is waited for");
        _problem = health.Problem;
        _state = health.State;
    }
}

/// <summary>Watches the definitions of kinds, only their metadata, so that a new one is found at once instead of at the next look.</summary>
internal sealed class DefinitionWatcher : IInformerHandler<string>, IAsyncDisposable
{
    private readonly Informer<string> _informer;
    private readonly Action _changed;

    public DefinitionWatcher(KubeClient client, InformerOptions options, Action changed)
    {
        _changed = changed;
        _informer = new Informer<string>(client, ResourceChoice.Of(Mesh.Kubernetes.ResourceTypes.CustomResourceDefinitions), null, new Selection { MetadataOnly = true }, item => item.Key.Name, this, options);
    }

    public void Start() => _informer.Start();

    public void OnChanged(InformerChange<string> change)
    {
        if (change.Before is null)
            _changed();
    }

    public void OnSynced()
    {
    }

    public void OnHealth(InformerHealth health)
    {
        // Not allowed to look at definitions: kinds are still found, later.
    }

    public ValueTask DisposeAsync() => _informer.DisposeAsync();
}

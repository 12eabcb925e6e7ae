using Mesh.Kubernetes.Connection;
using Mesh.Kubernetes.Informers;
using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;
using Mesh.Testing.Kubernetes;

namespace Mesh.Kubernetes.Tests;

/// <summary>Clients and informers as tests want them: short delays, generous limits.</summary>
internal static class Clients
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static KubeClient To(Uri address, string? token = null, TimeProvider? time = null) =>
        new(new ClusterConfiguration { Server = address, Credentials = token is null ? Credentials.None : new StaticToken(token) }, new KubeClientOptions { Time = time ?? TimeProvider.System, LongestRetryAfter = TimeSpan.FromSeconds(2) });

    public static KubeClient To(FakeApiServer server, TimeProvider? time = null) => To(server.PlainAddress, FakeApiServer.AdminToken, time);

    public static readonly InformerOptions Quick = new()
    {
        FirstDelay = TimeSpan.FromMilliseconds(5),
        LongestDelay = TimeSpan.FromMilliseconds(100),
        MissingGrace = TimeSpan.FromMilliseconds(50),
        PageSize = 3,
        StreamingLists = false,
    };

    public static string Text(RawObject item) => System.Text.Encoding.UTF8.GetString(item.Json.Span);
}

/// <summary>An informer with a copy of its content that tests may wait on.</summary>
internal sealed class Mirror : IInformerHandler<string>, IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ObjectKey, string> _content = [];
    private readonly List<InformerChange<string>> _changes = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Mirror(KubeClient client, ResourceType type, string? ns = null, Selection? selection = null, InformerOptions? options = null, Func<RawObject, string?>? decode = null)
    {
        Informer = new Informer<string>(client, ResourceChoice.Of(type), ns, selection ?? Selection.All, decode ?? Clients.Text, this, options ?? Clients.Quick);
        Informer.Start();
    }

    public Informer<string> Informer { get; }

    public IReadOnlyDictionary<ObjectKey, string> Content
    {
        get
        {
            lock (_gate)
                return new Dictionary<ObjectKey, string>(_content);
        }
    }

    public IReadOnlyList<InformerChange<string>> Changes
    {
        get
        {
            lock (_gate)
                return [.. _changes];
        }
    }

    public void OnChanged(InformerChange<string> change)
    {
        lock (_gate)
        {
            // What an informer says must fit to what it said before.
            Assert.Equal(_content.GetValueOrDefault(change.Key), change.Before);
            if (change.After is null)
                _content.Remove(change.Key);
            else
                _content[change.Key] = change.After;
            _changes.Add(change);
        }
        Signal();
    }

    public void OnSynced() => Signal();

    public void OnHealth(InformerHealth health) => Signal();

    public async Task UntilAsync(Func<Mirror, bool> condition)
    {
        using var limit = new CancellationTokenSource(Clients.Patience);
        while (true)
        {
            Task changed;
            lock (_gate)
                changed = _changed.Task;
            if (condition(this))
                return;
            try
            {
                await changed.WaitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"did not come about: {Informer.Health}, content {string.Join(", ", Content.Keys)}");
            }
        }
    }

    public Task UntilNamesAsync(params string[] names) => UntilAsync(m => m.Content.Keys.Select(k => k.Name).Order(StringComparer.Ordinal).SequenceEqual(names.Order(StringComparer.Ordinal), StringComparer.Ordinal));

    public ValueTask DisposeAsync() => Informer.DisposeAsync();

    private void Signal()
    {
        TaskCompletionSource waiting;
        lock (_gate)
        {
            waiting = _changed;
            _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        waiting.SetResult();
    }
}

using System.Collections.Concurrent;

using Mesh.Meshctl.Control;

namespace Mesh.Meshctl.Daemon;

/// <summary>Every program of the mesh itself that the daemon keeps running; ends them together.</summary>
internal sealed class ComponentSet(string logs, TimeProvider time, Action<string> log) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Component> _components = new(StringComparer.Ordinal);
    private readonly ConcurrentBag<IAsyncDisposable> _owned = [];

    public IEnumerable<ComponentStatus> Statuses => _components.Values.Select(c => c.ToStatus()).OrderBy(s => s.Name, StringComparer.Ordinal);

    public string LogOf(string component) => Path.Combine(logs, $"{component}.log");

    public T Own<T>(T part)
        where T : IAsyncDisposable
    {
        _owned.Add(part);
        return part;
    }

    public Component Start(ComponentPlan plan)
    {
        var component = new Component(plan, time, log);
        _components[plan.Name] = component;
        component.Start();
        return component;
    }

    public async Task StopAsync(string name)
    {
        if (_components.TryRemove(name, out var component))
            await component.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var part in _owned)
            await part.DisposeAsync();
        await Task.WhenAll(_components.Values.Select(c => c.DisposeAsync().AsTask()));
    }
}

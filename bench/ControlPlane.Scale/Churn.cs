using System.Collections.Concurrent;
using System.Diagnostics;

namespace Mesh.ControlPlane.Scale;

/// <summary>One round of changes at a steady rate: seven of ten flip a pod's readiness, the others delete a pod and create it again.</summary>
internal sealed class Churn(MeshFolder folder, ScaleOptions options)
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);
    private readonly ConcurrentDictionary<string, Change> _open = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<double> _milliseconds = new();
    private readonly HashSet<int> _deleted = [];
    private readonly HashSet<int> _unready = [];
    private readonly Random _random = new(1);

    /// <summary>An agent has received this name.</summary>
    public void Received(string name)
    {
        if (!_open.TryGetValue(name, out var change) || Interlocked.Increment(ref change.Agents) != options.Agents)
            return;
        _milliseconds.Enqueue(Stopwatch.GetElapsedTime(change.Written).TotalMilliseconds);
        _open.TryRemove(name, out _);
    }

    /// <summary>Milliseconds from written to received by the last agent, one value per change, in ascending order.</summary>
    public async Task<double[]> RunAsync()
    {
        _milliseconds.Clear();
        var count = options.Rate * options.Seconds;
        var began = Stopwatch.GetTimestamp();
        for (var i = 0; i < count; i++)
        {
            var due = TimeSpan.FromSeconds(i / (double)options.Rate) - Stopwatch.GetElapsedTime(began);
            if (due > TimeSpan.Zero)
                await Task.Delay(due);
            ChangeOne();
        }

        var waiting = Stopwatch.GetTimestamp();
        while (!_open.IsEmpty)
        {
            if (Stopwatch.GetElapsedTime(waiting) > _patience)
                throw new InvalidOperationException($"{_open.Count} of {count} changes did not reach every agent within {_patience}, the first of them {_open.Keys.First()}");
            await Task.Delay(20);
        }

        return [.. _milliseconds.Order()];
    }

    private void ChangeOne()
    {
        var kind = _random.Next(100);
        // As many come back as go.
        if (kind < 15 && _deleted.FirstOrDefault(d => !IsOpen(d), -1) is >= 0 and var gone)
        {
            _deleted.Remove(gone);
            _unready.Remove(gone);
            Open(gone);
            folder.Write(gone, ready: true);
            return;
        }

        int pod;
        do
        {
            pod = _random.Next(options.Pods);
        }
        while (IsOpen(pod) || _deleted.Contains(pod));
        Open(pod);
        if (kind < 30)
        {
            _deleted.Add(pod);
            folder.Delete(pod);
            return;
        }

        if (!_unready.Add(pod))
            _unready.Remove(pod);
        folder.Write(pod, ready: !_unready.Contains(pod));
    }

    private bool IsOpen(int pod) => _open.ContainsKey(MeshFolder.ResourceName(pod));

    /// <summary>The time is taken before the write: a change may be everywhere before the writer runs again.</summary>
    private void Open(int pod) => _open[MeshFolder.ResourceName(pod)] = new Change { Written = Stopwatch.GetTimestamp() };

    private sealed class Change
    {
        public required long Written { get; init; }
        public int Agents;
    }
}

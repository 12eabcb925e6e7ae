namespace Mesh.Model;

/// <summary>The one place where the current snapshot is kept. Readers take <see cref="Current"/> without a lock; writers (few, slow) queue at a lock.</summary>
public sealed class MeshState(string? localNode = null)
{
    private readonly Lock _gate = new();
    private volatile MeshSnapshot _current = MeshSnapshot.Empty(localNode);

    /// <summary>After each change that changed something, on the thread that applied it, outside the lock: one call at a time is not promised.</summary>
    public event Action<MeshChange>? Changed;

    // any thread
    public MeshSnapshot Current => _current;

    // any thread
    public MeshChange Apply(MeshUpdate update) => Apply(builder => builder.Apply(update));

    /// <summary>One batch: readers see all of it or nothing. If <paramref name="batch"/> throws, nothing was changed.</summary>
    public MeshChange Apply(Action<MeshSnapshotBuilder> batch)
    {
        MeshChange change;
        lock (_gate)
        {
            var builder = new MeshSnapshotBuilder(_current);
            batch(builder);
            change = builder.ToChange();
            _current = change.After;
        }

        if (!ReferenceEquals(change.Before, change.After))
            Changed?.Invoke(change);
        return change;
    }

    /// <summary>
    /// Waits until the snapshot contains something: a workload may start to talk before the control plane has told about it.
    /// Null when it did not come within <paramref name="timeout"/>. Completes at once when it is there.
    /// </summary>
    public ValueTask<T?> WaitForAsync<T>(Func<MeshSnapshot, T?> find, TimeSpan timeout, TimeProvider time, CancellationToken cancellation = default)
        where T : class
    {
        var found = find(_current);
        return found is not null ? new(found) : new(WaitAsync(find, timeout, time, cancellation));
    }

    private async Task<T?> WaitAsync<T>(Func<MeshSnapshot, T?> find, TimeSpan timeout, TimeProvider time, CancellationToken cancellation)
        where T : class
    {
        var arrived = new TaskCompletionSource<T?>(TaskCreationOptions.RunContinuationsAsynchronously);
        void Look(MeshChange change)
        {
            if (find(change.After) is { } found)
                arrived.TrySetResult(found);
        }

        Changed += Look;
        try
        {
            // Once more, now that no change can be missed.
            if (find(_current) is { } found)
                return found;
            return await arrived.Task.WaitAsync(timeout, time, cancellation);
        }
        catch (TimeoutException)
        {
            return null;
        }
        finally
        {
            Changed -= Look;
        }
    }
}

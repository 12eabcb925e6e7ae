using Mesh.IstiodLite.Telemetry;
using Mesh.Kubernetes;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Leadership;

/// <summary>
/// One kind of writing to the cluster: makes the cluster be what the mesh wants, as often as it is told that something changed, and again by itself. What
/// fails is said in the readiness detail and tried again; nothing else waits for it.
/// </summary>
internal abstract class LeaderTask(string name, Health health, TimeProvider time, Log? log)
{
    /// <summary>A look at everything although nobody said that something changed.</summary>
    private static readonly TimeSpan _again = TimeSpan.FromSeconds(60);
    private readonly SemaphoreSlim _changed = new(0);

    protected Log? Log => log;

    public string Name => name;

    /// <summary>Something that this task reads, or wrote, is different.</summary>
    public void Signal()
    {
        if (_changed.CurrentCount == 0)
            _changed.Release();
    }

    /// <summary>Until the term of the leader is over.</summary>
    public async Task RunAsync(CancellationToken term)
    {
        var backoff = new Backoff(TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(30), Random.Shared);
        BeginTerm();
        try
        {
            while (true)
            {
                var wait = _again;
                try
                {
                    await ReconcileAsync(term);
                    backoff.Reset();
                    health.Recovered(name);
                }
                catch (KubeException e)
                {
                    health.Failing(name, $"{e.Message}; it is tried again");
                    wait = backoff.Next(e.RetryAfter);
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    log?.Error($"{name}: {e}");
                    health.Failing(name, $"internal error: {e.Message}; it is tried again");
                    wait = backoff.Next();
                }
                await WaitAsync(wait, term);
            }
        }
        finally
        {
            // Whoever leads next says what fails there.
            health.Recovered(name);
        }
    }

    /// <summary>Forget what earlier terms knew: somebody else may have written since.</summary>
    protected virtual void BeginTerm()
    {
    }

    /// <summary>Does all that is to be done; a part that fails must not keep the others from being tried.</summary>
    protected abstract Task ReconcileAsync(CancellationToken cancellation);

    private async Task WaitAsync(TimeSpan longest, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var changed = _changed.WaitAsync(limit.Token);
        await Task.WhenAny(changed, Task.Delay(longest, time, limit.Token));
        await limit.CancelAsync();
        try
        {
            await changed;
        }
        catch (OperationCanceledException)
        {
            // The time is up.
        }
        cancellation.ThrowIfCancellationRequested();
    }
}

/// <summary>Failures of several parts, told as one after all of them were tried.</summary>
internal sealed class PartialFailure
{
    private KubeException? _first;
    private int _count;

    /// <summary>False: it failed and is remembered.</summary>
    public async Task<bool> TryAsync(Func<Task> part)
    {
        try
        {
            await part();
            return true;
        }
        catch (KubeException e)
        {
            _first ??= e;
            _count++;
            return false;
        }
    }

    public void ThrowIfAny()
    {
        if (_first is { } first)
            throw _count == 1 ? first : new KubeException(first.Failure, $"{first.Message} (and {_count - 1} more)", first) { RetryAfter = first.RetryAfter };
    }
}

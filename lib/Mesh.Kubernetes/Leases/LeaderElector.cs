using Mesh.Kubernetes.Objects;
using Mesh.Kubernetes.Requests;

namespace Mesh.Kubernetes.Leases;

/// <summary>Which lease, who we are, and how patient everybody is. The defaults are client-go's.</summary>
public sealed record LeaderElectorOptions
{
    public required string Namespace { get; init; }
    public required string Name { get; init; }

    /// <summary>Unique among the candidates: the pod's name.</summary>
    public required string Identity { get; init; }

    /// <summary>How long others wait after the last sign of the holder.</summary>
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>A holder that could not renew for so long stops leading; shorter than <see cref="LeaseDuration"/>, so that there are never two.</summary>
    public TimeSpan RenewDeadline { get; init; } = TimeSpan.FromSeconds(10);
    public TimeSpan RetryPeriod { get; init; } = TimeSpan.FromSeconds(2);
}

/// <summary>
/// One of several candidates leads. Every write carries the resourceVersion that was read: a conflict means that somebody else was faster. Expiry is
/// judged by the own clock since a change was observed, never by comparing times of two machines.
/// </summary>
public sealed class LeaderElector(KubeClient client, LeaderElectorOptions options, Action<string>? log = null)
{
    /// <summary>A third of a pod's usual grace.</summary>
    private static readonly TimeSpan _releasing = TimeSpan.FromSeconds(10);

    private Lease? _observed;
    private long _observedAt;

    public bool IsLeader { get; private set; }

    /// <summary>Who holds the lease as far as we know; empty: nobody.</summary>
    public string Holder => _observed?.Spec.HolderIdentity ?? string.Empty;

    /// <summary>What the last attempt failed with; null: it did not.</summary>
    public string? Problem { get; private set; }

    /// <summary>Runs until cancelled: each time the lease is won <paramref name="lead"/> runs, and is cancelled when it is lost. Releases at the end.</summary>
    public async Task RunAsync(Func<CancellationToken, Task> lead, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(lead);
        try
        {
            while (!cancellation.IsCancellationRequested)
            {
                if (await TryAsync(cancellation))
                    await LeadAsync(lead, cancellation);
                await DelayAsync(cancellation);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Asked to stop.
        }
    }

    private async Task LeadAsync(Func<CancellationToken, Task> lead, CancellationToken cancellation)
    {
        IsLeader = true;
        log?.Invoke($"{options.Identity} leads ({options.Namespace}/{options.Name})");
        using var term = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var leading = GuardAsync(lead, term.Token);
        try
        {
            await RenewAsync(cancellation);
        }
        finally
        {
            IsLeader = false;
            await term.CancelAsync();
            await leading;
            if (cancellation.IsCancellationRequested)
                await ReleaseAsync();
            log?.Invoke($"{options.Identity} no longer leads ({Problem ?? "stopped"})");
        }
    }

    /// <summary>Returns when the lease is lost.</summary>
    private async Task RenewAsync(CancellationToken cancellation)
    {
        var renewed = client.Time.GetTimestamp();
        while (true)
        {
            await DelayAsync(cancellation);
            var left = options.RenewDeadline - client.Time.GetElapsedTime(renewed);
            if (left <= TimeSpan.Zero)
                return;
            // Its own timer, not one that cancels it: that may fire when the source has been disposed, and a fault in a timer ends the process.
            using var deadline = new CancellationTokenSource(left, client.Time);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellation);
            try
            {
                var asked = client.Time.GetTimestamp();
                if (await TryAsync(limit.Token))
                    renewed = asked;
                else if (Problem is null)
                    return; // somebody else holds it
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                Problem = $"the lease could not be renewed within {options.RenewDeadline.TotalSeconds:0} s";
                return;
            }
        }
    }

    /// <summary>One attempt to get or keep the lease. False with a <see cref="Problem"/>: not known; without: somebody else has it.</summary>
    internal async Task<bool> TryAsync(CancellationToken cancellation)
    {
        try
        {
            var lease = await client.FindAsync(ResourceTypes.Leases, options.Namespace, options.Name, KubeJson.Default.Lease, cancellation);
            var now = client.Time.GetUtcNow();
            if (lease is null)
            {
                Observe(await client.CreateAsync(ResourceTypes.Leases, options.Namespace, Claimed(null, now), KubeJson.Default.Lease, cancellation));
                Problem = null;
                return true;
            }
            if (lease.Metadata.ResourceVersion != _observed?.Metadata.ResourceVersion)
                Observe(lease);
            var holder = lease.Spec.HolderIdentity ?? string.Empty;
            var patience = TimeSpan.FromSeconds(lease.Spec.LeaseDurationSeconds ?? options.LeaseDuration.TotalSeconds);
            if (holder.Length > 0 && holder != options.Identity && client.Time.GetElapsedTime(_observedAt) < patience)
            {
                Problem = null;
                return false;
            }
            Observe(await client.UpdateAsync(ResourceTypes.Leases, options.Namespace, options.Name, Claimed(lease, now), KubeJson.Default.Lease, cancellation));
            Problem = null;
            return true;
        }
        catch (KubeException e) when (e.Failure is KubeFailure.Conflict or KubeFailure.AlreadyExists)
        {
            // Faster than us: what was read is stale. Unless it was our own write whose answer got lost, the next look shows another holder.
            Problem = e.Message;
            return false;
        }
        catch (KubeException e)
        {
            Problem = e.Message;
            return false;
        }
    }

    private Lease Claimed(Lease? current, DateTimeOffset now)
    {
        var ours = current?.Spec.HolderIdentity == options.Identity;
        return new Lease
        {
            Metadata = current?.Metadata ?? new ObjectMeta { Name = options.Name, Namespace = options.Namespace },
            Spec = new LeaseSpec
            {
                HolderIdentity = options.Identity,
                LeaseDurationSeconds = (int)Math.Ceiling(options.LeaseDuration.TotalSeconds),
                AcquireTime = ours ? current!.Spec.AcquireTime : now,
                RenewTime = now,
                LeaseTransitions = ours || current is null ? current?.Spec.LeaseTransitions ?? 0 : (current.Spec.LeaseTransitions ?? 0) + 1,
            },
        };
    }

    /// <summary>So that others need not wait. Best effort: a lease that is not released expires.</summary>
    private async Task ReleaseAsync()
    {
        if (_observed is not { } held || held.Spec.HolderIdentity != options.Identity)
            return;
        using var limit = new CancellationTokenSource(_releasing, client.Time);
        try
        {
            var released = held with { Spec = held.Spec with { HolderIdentity = "", LeaseDurationSeconds = 1, RenewTime = client.Time.GetUtcNow() } };
            await client.UpdateAsync(ResourceTypes.Leases, options.Namespace, options.Name, released, KubeJson.Default.Lease, limit.Token);
        }
        catch (Exception e) when (e is KubeException or OperationCanceledException)
        {
            log?.Invoke($"the lease {options.Namespace}/{options.Name} could not be released: {e.Message}");
        }
    }

    private async Task GuardAsync(Func<CancellationToken, Task> lead, CancellationToken cancellation)
    {
        try
        {
            await lead(cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // The term is over.
        }
        catch (Exception e)
        {
            log?.Invoke($"the work of the leader failed: {e}");
        }
    }

    private void Observe(Lease lease)
    {
        _observed = lease;
        _observedAt = client.Time.GetTimestamp();
    }

    // Jitter: candidates that wait for the same lease must not all write at once.
    private Task DelayAsync(CancellationToken cancellation) => Task.Delay(options.RetryPeriod * (1 + (0.2 * client.Random.NextDouble())), client.Time, cancellation);
}

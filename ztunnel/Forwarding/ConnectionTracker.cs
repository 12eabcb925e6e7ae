using System.Diagnostics;
using Mesh.Model;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Runtime.Decisions;

namespace Mesh.Ztunnel.Forwarding;

/// <summary>The open connections of one pod on one loop. Loop only: no lock.</summary>
internal sealed class ConnectionTracker
{
    private TrackedConnection? _newest;
    private TrackedConnection? _oldest;
    private TaskCompletionSource? _empty;

    public int Count { get; private set; }

    public void Add(TrackedConnection connection)
    {
        Debug.Assert(connection.Tracker is null, "a connection is open in one place");
        connection.Tracker = this;
        connection.Older = _newest;
        if (_newest is null)
            _oldest = connection;
        else
            _newest.Newer = connection;
        _newest = connection;
        Count++;
    }

    /// <summary>Does nothing for one that is not here any more.</summary>
    public void Remove(TrackedConnection connection)
    {
        if (connection.Tracker != this)
            return;
        if (connection.Newer is { } newer)
            newer.Older = connection.Older;
        else
            _newest = connection.Older;
        if (connection.Older is { } older)
            older.Newer = connection.Newer;
        else
            _oldest = connection.Newer;
        connection.Tracker = null;
        connection.Newer = connection.Older = null;
        Count--;
        if (Count == 0)
            _empty?.TrySetResult();
    }

    public IEnumerable<ConnectionSummary> Summaries => All().Select(c => c.Summary).OfType<ConnectionSummary>();

    /// <summary>Newest first.</summary>
    public IEnumerable<IDecision> Find(DecisionQuery query)
    {
        for (var connection = _newest; connection is not null; connection = connection.Older)
        {
            var decision = connection.Decision;
            if (query.Matches(decision))
                yield return decision;
        }
    }

    /// <summary>Asks policy again about every connection and ends those that it now forbids. Also after a change of the pod's own record.</summary>
    /// <returns>How many were ended.</returns>
    public int Reevaluate(MeshSnapshot mesh, Workload destination)
    {
        var cut = 0;
        for (var next = _oldest; next is not null;)
        {
            // Cutting may remove the connection: step first.
            var connection = next;
            next = next.Newer;
            if (connection.Facts is not { } facts)
                continue;
            var decision = PolicyEvaluator.Evaluate(mesh, destination, facts);
            if (decision.Allowed)
                continue;
            connection.Forbid(mesh, destination, decision);
            cut++;
        }
        return cut;
    }

    public void CutAll(Ending ending)
    {
        foreach (var connection in All().ToList())
            connection.Cut(ending);
    }

    /// <summary>Completes when no connection is left.</summary>
    public Task WhenEmpty()
    {
        if (Count == 0)
            return Task.CompletedTask;
        _empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return _empty.Task;
    }

    private IEnumerable<TrackedConnection> All()
    {
        for (var connection = _oldest; connection is not null; connection = connection.Newer)
            yield return connection;
    }
}

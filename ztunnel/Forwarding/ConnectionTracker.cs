using Mesh.Model;
using Mesh.Model.Policy;
using Mesh.Model.Workloads;
using Mesh.Runtime.Decisions;

namespace Mesh.Ztunnel.Forwarding;

/// <summary>The open connections of one pod on one loop. Loop only: no lock.</summary>
internal sealed class ConnectionTracker
{
    private readonly LinkedList<ITrackedConnection> _connections = [];
    private TaskCompletionSource? _empty;

    public int Count => _connections.Count;

    public LinkedListNode<ITrackedConnection> Add(ITrackedConnection connection) => _connections.AddLast(connection);

    public void Remove(LinkedListNode<ITrackedConnection> entry)
    {
        if (entry.List is null)
            return;
        _connections.Remove(entry);
        if (_connections.Count == 0)
            _empty?.TrySetResult();
    }

    public IEnumerable<ConnectionSummary> Summaries => _connections.Select(c => c.Summary).OfType<ConnectionSummary>();

    /// <summary>Newest first.</summary>
    public IEnumerable<IDecision> Find(DecisionQuery query)
    {
        for (var node = _connections.Last; node is not null; node = node.Previous)
        {
            var decision = node.Value.Decision;
            if (query.Matches(decision))
                yield return decision;
        }
    }

    /// <summary>Asks policy again about every connection and ends those that it now forbids. Also after a change of the pod's own record.</summary>
    /// <returns>How many were ended.</returns>
    public int Reevaluate(MeshSnapshot mesh, Workload destination)
    {
        var cut = 0;
        for (var node = _connections.First; node is not null;)
        {
            // Cutting may remove the node: step first.
            var connection = node.Value;
            node = node.Next;
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
        foreach (var connection in _connections.ToList())
            connection.Cut(ending);
    }

    /// <summary>Completes when no connection is left.</summary>
    public Task WhenEmpty()
    {
        if (_connections.Count == 0)
            return Task.CompletedTask;
        _empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return _empty.Task;
    }
}

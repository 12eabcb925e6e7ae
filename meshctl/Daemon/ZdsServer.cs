using System.Threading.Channels;

using Mesh.Net;

namespace Mesh.Meshctl.Daemon;

/// <summary>A pod as the node agent must know it.</summary>
internal sealed record AgentPod(string Uid, string Name, string Namespace, string ServiceAccount, string NetworkNamespacePath);

/// <summary>The agent side of the protocol on which a ztunnel learns its pods: hello, a snapshot of adds, "snapshot sent", then changes; every message is acknowledged before the next.</summary>
/// <remarks>
/// An add goes to the newest connection, a delete to all (two are connected while a ztunnel is replaced). The wanted set outlives connections: a ztunnel that
/// comes back gets it as its snapshot.
/// </remarks>
internal sealed partial class ZdsServer : IAsyncDisposable
{
    private readonly string _node;
    private readonly Action<string> _log;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();

    // Under _gate.
    private readonly Dictionary<string, Wanted> _wanted = new(StringComparer.Ordinal);
    private readonly List<Channel<ZdsOrder>> _connections = [];

    private ZdsServer(string node, EventLoop loop, Action<string> log)
    {
        _node = node;
        _loop = loop;
        _log = log;
    }

    /// <summary>Wants the pod captured from now on; completes with the first answer about it: null, or why not.</summary>
    public async Task<string?> AddAsync(AgentPod pod, CancellationToken cancel)
    {
        var wanted = new Wanted(pod);
        lock (_gate)
        {
            _wanted[pod.Uid] = wanted;
            if (_connections.Count > 0)
                _connections[^1].Writer.TryWrite(new ZdsOrder(wanted, null, null));
        }

        try
        {
            return await wanted.Answer.Task.WaitAsync(cancel);
        }
        catch (OperationCanceledException)
        {
            return $"the ztunnel of {_node} did not answer in time";
        }
    }

    public async Task DeleteAsync(string uid, CancellationToken cancel)
    {
        List<Task> done = [];
        lock (_gate)
        {
            _wanted.Remove(uid);
            foreach (var connection in _connections)
            {
                var order = new ZdsOrder(null, uid, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
                if (connection.Writer.TryWrite(order))
                    done.Add(order.Deleted!.Task);
            }
        }

        try
        {
            await Task.WhenAll(done).WaitAsync(cancel);
        }
        catch (OperationCanceledException)
        {
            _log($"the ztunnel of {_node} did not confirm that it let go of {uid}");
        }
    }

    /// <summary>Registers a connection and takes the snapshot for it in one step, so that no change falls between the two.</summary>
    private (Channel<ZdsOrder> Orders, List<Wanted> Snapshot) Register()
    {
        var orders = Channel.CreateUnbounded<ZdsOrder>(new UnboundedChannelOptions { SingleReader = true });
        lock (_gate)
        {
            _connections.Add(orders);
            return (orders, [.. _wanted.Values]);
        }
    }

    private void Unregister(Channel<ZdsOrder> orders)
    {
        lock (_gate)
            _connections.Remove(orders);
        orders.Writer.TryComplete();
        while (orders.Reader.TryRead(out var order))
            order.Deleted?.TrySetResult();
    }

    private sealed record Wanted(AgentPod Pod)
    {
        public TaskCompletionSource<string?> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private sealed record ZdsOrder(Wanted? Add, string? DeleteUid, TaskCompletionSource? Deleted);
}

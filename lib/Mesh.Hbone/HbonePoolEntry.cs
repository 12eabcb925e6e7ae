using Mesh.Model;
using Mesh.Net;

namespace Mesh.Hbone;

/// <summary>A connection on which a CONNECT can be sent at once, or why there is none.</summary>
internal readonly record struct HboneLease(HboneClientConnection? Connection, bool Reused, Ending Ending, string Error);

/// <summary>The connections of one target and the callers that wait for one of them.</summary>
internal sealed class HbonePoolEntry(EventLoop loop, HboneDialer dialer, HboneOptions options, TunnelTarget target)
{
    private readonly List<HboneClientConnection> _connections = [];
    private readonly Queue<TaskCompletionSource<HboneLease>> _waiters = [];
    private bool _dialing;

    public IReadOnlyList<HboneClientConnection> Connections => _connections;

    public bool IsEmpty => _connections.Count == 0 && _waiters.Count == 0 && !_dialing;

    public ValueTask<HboneLease> AcquireAsync()
    {
        if (_waiters.Count == 0)
        {
            foreach (var connection in _connections)
            {
                if (connection.CanOpen)
                    return new ValueTask<HboneLease>(new HboneLease(connection, Reused: true, Ending.Ok, string.Empty));
            }
        }

        var waiter = new TaskCompletionSource<HboneLease>();
        _waiters.Enqueue(waiter);
        if (!_dialing && !PeerLimitsUs())
            Dial();
        else if (!_dialing)
            loop.Schedule(options.StreamLimitPatience, () => PatienceEnds(waiter));
        return new ValueTask<HboneLease>(waiter.Task);
    }

    /// <summary>A usable connection has room by our limit but not by the peer's: waiting is kinder than another handshake.</summary>
    private bool PeerLimitsUs()
    {
        foreach (var connection in _connections)
        {
            if (connection.IsUsable && !connection.IsFull)
                return true;
        }

        return false;
    }

    private void PatienceEnds(TaskCompletionSource<HboneLease> waiter)
    {
        if (!waiter.Task.IsCompleted && !_dialing)
            Dial();
    }

    private void Dial()
    {
        _dialing = true;
        loop.Spawn(DialAsync);
    }

    private async Task DialAsync()
    {
        var dialed = new DialResult(null, Ending.InternalError, $"the connection to {target.Address} failed unexpectedly; the log has the details");
        try
        {
            dialed = await dialer.DialAsync(target);
        }
        finally
        {
            _dialing = false;
            Dialed(dialed);
        }
    }

    private void Dialed(DialResult dialed)
    {
        if (dialed.Connection is not { } connection)
        {
            while (_waiters.TryDequeue(out var waiter))
                waiter.TrySetResult(new HboneLease(null, Reused: false, dialed.Ending, dialed.Error));
            return;
        }

        connection.ConnectionClosed = Removed;
        connection.RoomAvailable = _ => Serve(reused: true);
        _connections.Add(connection);
        connection.Start();
        Serve(reused: false);
    }

    private void Removed(HboneClientConnection connection, string reason)
    {
        _connections.Remove(connection);
        if (_waiters.Count > 0 && !_dialing && !PeerLimitsUs())
            Dial();
    }

    /// <summary>Gives room to waiters in the order in which they came; whoever finds none needs another connection.</summary>
    private void Serve(bool reused)
    {
        foreach (var connection in _connections)
        {
            while (_waiters.Count > 0 && connection.CanOpen)
                _waiters.Dequeue().TrySetResult(new HboneLease(connection, reused, Ending.Ok, string.Empty));
        }

        if (_waiters.Count > 0 && !_dialing && !PeerLimitsUs())
            Dial();
    }
}

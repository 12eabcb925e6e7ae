using Mesh.Http2;
using Mesh.Model;
using Mesh.Net;

namespace Mesh.Hbone;

/// <summary>Tunnel connections of one pod (or one waypoint) on one loop.</summary>
/// <remarks>
/// Invariants: a connection is only given to callers with an equal <see cref="TunnelTarget"/>; simultaneous first callers share one connection
/// attempt; a connection that is full by our limit is joined by another one and comes back into use when streams end; one slow target never
/// delays another key; a CONNECT is repeated once, and only where a connection that stood before broke before any answer, or where the peer
/// refused the stream, so that no byte of the application can have been sent twice.
/// </remarks>
public sealed class HbonePool(EventLoop loop, HboneDialer dialer, HboneOptions options) : IDisposable
{
    private readonly Dictionary<TunnelTarget, HbonePoolEntry> _entries = [];
    private bool _disposed;

    /// <summary>Standing connections, for metrics and tests.</summary>
    public int ConnectionCount => _entries.Values.Sum(e => e.Connections.Count);

    /// <summary>Opens a tunnel: over a standing connection where one has room, else over a new one. On the pool's loop.</summary>
    public async ValueTask<TunnelResult> OpenAsync(TunnelTarget target, HeaderList connect)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!_entries.TryGetValue(target, out var entry))
            _entries.Add(target, entry = new HbonePoolEntry(loop, dialer, options, target));

        var first = await OpenOnceAsync(entry, connect);
        var lostBeforeAnswer = !first.IsOpen && (first.Reused || first.Refused) && first.Ending == Ending.TunnelLost;
        var result = lostBeforeAnswer && !_disposed ? await OpenOnceAsync(entry, connect) : first;
        if (entry.IsEmpty)
            _entries.Remove(target);
        return result;
    }

    /// <summary>New tunnels are refused, standing connections close after their last stream.</summary>
    public void Drain()
    {
        foreach (var connection in _entries.Values.SelectMany(e => e.Connections).ToArray())
            connection.Drain();
    }

    /// <summary>Ends connections whose peer or own certificate is no longer to be trusted.</summary>
    /// <returns>How many there were.</returns>
    public int AbortWhere(Func<HboneClientConnection, bool> condition, string reason, Ending ending = Ending.TunnelLost)
    {
        var ended = _entries.Values.SelectMany(e => e.Connections).Where(condition).ToArray();
        foreach (var connection in ended)
            connection.Abort(reason, ending);
        return ended.Length;
    }

    public void Dispose()
    {
        _disposed = true;
        foreach (var connection in _entries.Values.SelectMany(e => e.Connections).ToArray())
            connection.Abort("the pool was closed");
        _entries.Clear();
    }

    private static async ValueTask<TunnelResult> OpenOnceAsync(HbonePoolEntry entry, HeaderList connect)
    {
        while (true)
        {
            var lease = await entry.AcquireAsync();
            if (lease.Connection is not { } connection)
                return TunnelResult.NotDialled(lease.Ending, lease.Error);
            if (connection.CanOpen) // another caller of the same iteration may have taken the room
                return await connection.ConnectAsync(connect, lease.Reused);
        }
    }
}

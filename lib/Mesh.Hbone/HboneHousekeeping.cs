using System.Runtime.CompilerServices;
using Mesh.Net;

namespace Mesh.Hbone;

/// <summary>One timer per loop that visits its tunnel connections about once a second, instead of timers per connection.</summary>
public sealed class HboneHousekeeping
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly ConditionalWeakTable<EventLoop, HboneHousekeeping> Loops = [];

    private readonly EventLoop _loop;
    private readonly HashSet<HboneConnection> _connections = [];
    private readonly List<HboneConnection> _visit = [];
    private bool _scheduled;

    private HboneHousekeeping(EventLoop loop) => _loop = loop;

    /// <summary>Tunnel connections that stand, of either role. Any thread.</summary>
    public int Connections => _connections.Count;

    public static HboneHousekeeping Of(EventLoop loop) => Loops.GetValue(loop, static l => new HboneHousekeeping(l));

    internal void Add(HboneConnection connection)
    {
        _connections.Add(connection);
        Schedule();
    }

    internal void Remove(HboneConnection connection) => _connections.Remove(connection);

    private void Schedule()
    {
        if (_scheduled || _connections.Count == 0)
            return;
        _scheduled = true;
        _loop.Schedule(Interval, Visit);
    }

    private void Visit()
    {
        _scheduled = false;
        _visit.AddRange(_connections); // a visited connection may close and leave the set
        foreach (var connection in _visit)
            connection.Tick(_loop.Now);
        _visit.Clear();
        Schedule();
    }
}

using Mesh.Net;

namespace Mesh.Ztunnel.Forwarding;

/// <summary>The plain pumps of one loop: one timer reports their bytes about once a second, instead of a timer each.</summary>
internal sealed class PlainPumps(EventLoop loop)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly LinkedList<PlainPump> _running = [];
    private bool _scheduled;

    internal LinkedListNode<PlainPump> Add(PlainPump pump)
    {
        var entry = _running.AddLast(pump);
        Schedule();
        return entry;
    }

    internal void Remove(LinkedListNode<PlainPump> entry)
    {
        if (entry.List is not null)
            _running.Remove(entry);
    }

    private void Schedule()
    {
        if (_scheduled || _running.Count == 0)
            return;
        _scheduled = true;
        loop.Schedule(Interval, Report);
    }

    private void Report()
    {
        _scheduled = false;
        foreach (var pump in _running)
            pump.Count();
        Schedule();
    }
}

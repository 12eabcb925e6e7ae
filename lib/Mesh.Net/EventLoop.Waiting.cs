using Mesh.Net.Loop;
using Mesh.Net.Native;

namespace Mesh.Net;

public sealed partial class EventLoop
{
    private readonly long _busyPoll;   // in ticks of TimeProvider.System; 0: never
    private BusyPollRule _rule;

    /// <summary>Waits for events; looks for a moment before it sleeps where that has paid lately.</summary>
    /// <remarks>
    /// Waking a sleeping thread costs tens of microseconds on a virtual processor; a peer that answers sooner is met awake. Between two looks the processor is
    /// offered to others, so that a machine without a free core loses little. The clock is the system's whatever <see cref="Time"/> is: this is about processor time.
    /// </remarks>
    private int WaitForEvents(EpollEvents events)
    {
        var milliseconds = WaitMilliseconds();
        if (_busyPoll == 0 || milliseconds == 0)
            return events.Wait(_epoll, milliseconds);

        var begin = TimeProvider.System.GetTimestamp();
        if (_rule.Pays)
        {
            // A timer ends the look as it would end the sleep.
            var longest = milliseconds < 0 ? _busyPoll : Math.Min(_busyPoll, milliseconds * TimeProvider.System.TimestampFrequency / 1000);
            var now = begin;
            var ready = 0;
            while (ready == 0 && now - begin < longest)
            {
                ready = events.Wait(_epoll, 0);
                if (ready == 0)
                    _ = Libc.sched_yield();
                now = TimeProvider.System.GetTimestamp();
            }

            _rule.LookEnded(found: ready != 0);
            if (ready != 0)
                return ready;
            Metrics.CountVainLook();
            begin = now;
            milliseconds = WaitMilliseconds();
        }

        var woken = events.Wait(_epoll, milliseconds);
        // A timer's end is nothing that a look would have met sooner.
        _rule.SleptFor(briefly: woken > 0 && TimeProvider.System.GetTimestamp() - begin < _busyPoll);
        return woken;
    }
}

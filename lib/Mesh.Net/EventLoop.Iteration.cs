using Mesh.Net.Loop;
using Mesh.Net.Native;

namespace Mesh.Net;

public sealed partial class EventLoop
{
    /// <summary>Flushing may make others dirty; a cycle of two must not keep the loop from reading.</summary>
    private const int MaxFlushRounds = 16;

    // Loop thread only, except where said.
    private List<IFlushable> _dirty = [];
    private List<IFlushable> _flushing = [];
    private List<IResumable> _nextTurn = [];
    private List<IResumable> _thisTurn = [];
    private long _now;          // written by the loop, read by any thread
    private int _stopping;      // any thread
    private bool _terminated;   // written once by the loop, read by any thread

    /// <summary>Calls <see cref="IFlushable.Flush"/> once at the end of this iteration, however often it is asked for.</summary>
    public void FlushAtEndOfIteration(IFlushable flushable)
    {
        ArgumentNullException.ThrowIfNull(flushable);
        if (flushable.IsQueued)
            return;
        flushable.IsQueued = true;
        _dirty.Add(flushable);
    }

    /// <summary>Calls <see cref="IResumable.Resume"/> in the next iteration, which then does not wait: the way to give others their turn.</summary>
    public void RunNextIteration(IResumable resumable)
    {
        ArgumentNullException.ThrowIfNull(resumable);
        if (resumable.IsResumeQueued)
            return;
        resumable.IsResumeQueued = true;
        _nextTurn.Add(resumable);
    }

    private void Run()
    {
        s_current = this;
        SetSynchronizationContext(this);
        using var events = new EpollEvents(_options.MaxEventsPerIteration);
        while (Volatile.Read(ref _stopping) == 0)
        {
            // (1)
            var ready = WaitForEvents(events);
            if (ready < 0)
            {
                if (Errno.Last != Errno.EINTR)
                    Environment.FailFast($"epoll_wait of loop '{Name}' failed: {Errno.Text(Errno.Last)}. Nothing this loop serves can go on.");
                ready = 0;
            }

            Volatile.Write(ref _now, Time.GetTimestamp());
            Metrics.CountIteration(ready);

            // (2)
            for (var i = 0; i < ready; i++)
                Deliver(events.DataAt(i), events.EventsAt(i));

            // (3) (4) (5) (6)
            RunPosted();
            AdvanceTimers();
            RunResumed();
            RunFlushes();
        }

        ShutDown();
    }

    private int WaitMilliseconds()
    {
        if (_nextTurn.Count > 0 || _dirty.Count > 0 || !_posted.IsEmpty || Volatile.Read(ref _stopping) != 0)
            return 0;
        return MillisecondsToNextTimer();
    }

    private void RunResumed()
    {
        if (_nextTurn.Count == 0)
            return;
        (_thisTurn, _nextTurn) = (_nextTurn, _thisTurn);
        foreach (var resumable in _thisTurn)
        {
            resumable.IsResumeQueued = false;
            try
            {
                resumable.Resume();
            }
            catch (Exception e)
            {
                Unhandled(e, resumable);
            }
        }

        _thisTurn.Clear();
    }

    private void RunFlushes()
    {
        for (var round = 0; _dirty.Count > 0 && round < MaxFlushRounds; round++)
        {
            (_flushing, _dirty) = (_dirty, _flushing);
            foreach (var flushable in _flushing)
            {
                flushable.IsQueued = false;
                try
                {
                    flushable.Flush();
                }
                catch (Exception e)
                {
                    Unhandled(e, flushable);
                }
            }

            _flushing.Clear();
        }
    }

    /// <summary>Reports what escaped and closes what it escaped from, so that a fault costs one connection and not the loop.</summary>
    internal void Unhandled(Exception e, object culprit)
    {
        Report(e, culprit.ToString() ?? culprit.GetType().Name);
        if (culprit is not IDisposable owner)
            return;
        try
        {
            owner.Dispose();
        }
        catch (Exception second)
        {
            Report(second, $"closing {culprit}");
        }
    }

    internal void Report(Exception e, string culprit)
    {
        Metrics.CountUnhandled();
        if (_options.UnhandledException is { } report)
            report(e, culprit);
        else
            Console.Error.WriteLine($"loop '{Name}': unhandled exception in {culprit}: {e}");
    }

    private void ShutDown()
    {
        // What was posted before the stop still runs; it may close things in order.
        RunPosted();
        RunFlushes();
        CloseAllDescriptors();
        RunPosted();
        Volatile.Write(ref _terminated, true);
        CancelPosted();
        _alarm?.Dispose();
        _home?.Dispose();
        _pipes?.Dispose();
        if (_reserve >= 0)
            _ = Libc.close(_reserve);
        lock (_wakeGate)
        {
            _wakeClosed = true;
            _ = Libc.close(_wake);
        }

        _ = Libc.close(_epoll);
        SetSynchronizationContext(null);
        s_current = null;
    }
}

using System.Collections.Concurrent;
using Mesh.Net.Loop;
using Mesh.Net.Native;

namespace Mesh.Net;

public sealed partial class EventLoop
{
    private const ulong WakeData = ulong.MaxValue;

    private readonly ConcurrentQueue<PostedWork> _posted = new();
    private readonly Lock _wakeGate = new();   // only around the write to and the close of the wake-up descriptor
    private bool _wakeClosed;
    private int _wakeRequested;

    /// <summary>Runs <paramref name="action"/> on the loop. Order of one caller is kept. Dropped when the loop has ended. Any thread.</summary>
    public void Post(Action action)
    {
        ArgumentNullException.ThrowIfNull(action);
        Enqueue(new PostedWork(action, null));
    }

    /// <summary>Runs a continuation on the loop; what <c>await</c> uses. Any thread.</summary>
    public override void Post(SendOrPostCallback d, object? state)
    {
        ArgumentNullException.ThrowIfNull(d);
        Enqueue(new PostedWork(d, state));
    }

    /// <summary>Runs a callback on the loop and waits for it. Any thread.</summary>
    public override void Send(SendOrPostCallback d, object? state)
    {
        ArgumentNullException.ThrowIfNull(d);
        if (InLoop)
        {
            d(state);
            return;
        }

        InvokeAsync(() =>
        {
            d(state);
            return true;
        }).GetAwaiter().GetResult();
    }

    /// <summary>
    /// Starts an asynchronous story on the loop. An exception that escapes it goes to <see cref="EventLoopOptions.UnhandledException"/>. Any thread.
    /// </summary>
    public void Spawn(Func<Task> story)
    {
        ArgumentNullException.ThrowIfNull(story);
        if (InLoop)
            RunStory(story);
        else
            Enqueue(new PostedWork(story, null));
    }

    /// <summary>Runs a function on the loop and gives its result back; cancelled when the loop has ended. Any thread.</summary>
    public Task<T> InvokeAsync<T>(Func<T> function)
    {
        ArgumentNullException.ThrowIfNull(function);
        var call = new LoopCall<T>(function);
        Enqueue(new PostedWork(call, null));
        return call.Task;
    }

    /// <summary>Runs an asynchronous function on the loop and gives its result back; cancelled when the loop has ended. Any thread.</summary>
    public Task<T> InvokeAsync<T>(Func<Task<T>> function) => InvokeAsync<Task<T>>(function).Unwrap();

    /// <summary>Runs an asynchronous function on the loop. Any thread.</summary>
    public Task InvokeAsync(Func<Task> function) => InvokeAsync<Task>(function).Unwrap();

    /// <summary>Runs an action on the loop. Any thread.</summary>
    public Task InvokeAsync(Action action)
    {
        ArgumentNullException.ThrowIfNull(action);
        return InvokeAsync(() =>
        {
            action();
            return true;
        });
    }

    /// <summary>Runs the first on the loop, or the second on some thread when the loop has ended before it came to that.</summary>
    internal void PostOrElse(Action action, Action orElse) => Enqueue(new PostedWork(new LoopErrand(action, orElse), null));

    private void Enqueue(PostedWork work)
    {
        _posted.Enqueue(work);
        if (!InLoop)
            Wake();
        if (Volatile.Read(ref _terminated))
            CancelPosted();
    }

    /// <summary>At most one system call per iteration, however many threads post.</summary>
    private unsafe void Wake()
    {
        if (Interlocked.Exchange(ref _wakeRequested, 1) != 0)
            return;
        lock (_wakeGate)
        {
            if (_wakeClosed)
                return;
            var one = 1L;
            _ = Libc.write(_wake, (byte*)&one, sizeof(long));
        }
    }

    private void RunPosted()
    {
        // Before looking at the queue: who enqueues after this line wakes the loop again.
        Interlocked.Exchange(ref _wakeRequested, 0);

        // Only what is there now: work that posts itself again must not keep the sockets waiting.
        for (var left = _posted.Count; left > 0 && _posted.TryDequeue(out var work); left--)
        {
            try
            {
                switch (work.Target)
                {
                    case Action action:
                        action();
                        break;
                    case SendOrPostCallback callback:
                        callback(work.State);
                        break;
                    case Func<Task> story:
                        RunStory(story);
                        break;
                    case ILoopCall call:
                        call.Run();
                        break;
                }
            }
            catch (Exception e)
            {
                Unhandled(e, "posted work");
            }
        }
    }

    private void RunStory(Func<Task> story)
    {
        Task task;
        try
        {
            task = story();
        }
        catch (Exception e)
        {
            Unhandled(e, "a story");
            return;
        }

        if (task.IsCompletedSuccessfully)
            return;
        // Not an async method: its state, its task and its continuation would live as long as the story, which may be a connection that is idle for days.
        // With this loop as context, where the story's last step runs, the look runs at once; without one it would go to the thread pool, once per connection.
        task.GetAwaiter().UnsafeOnCompleted(new StoryEnd(this, task).Look);
    }

    /// <summary>A story's fault is told, whatever thread it ended on.</summary>
    private sealed class StoryEnd(EventLoop loop, Task story)
    {
        public void Look()
        {
            if (story.Exception is { } fault)
                loop.Unhandled(fault.InnerException ?? fault, "a story");
            else if (story.IsCanceled)
                loop.Unhandled(new TaskCanceledException(story), "a story");
        }
    }

    private void CancelPosted()
    {
        while (_posted.TryDequeue(out var work))
            (work.Target as ILoopCall)?.Cancel();
    }
}

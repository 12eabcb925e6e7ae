using System.Collections.Concurrent;
using System.IO.Pipelines;
using Mesh.Net;
using Mesh.Waypoint.Http1;
using Mesh.Waypoint.Resilience;

namespace Mesh.Waypoint.Forwarding;

/// <summary>A limit of the cluster's connection pool was reached; never retried (reference 2.4).</summary>
internal sealed class UpstreamOverflowException(string what) : IOException($"the cluster's limit of {what} is reached");

/// <summary>
/// HTTP/1.1 connections to one endpoint. An idle one of the caller's own loop comes first, then a new one; where connections are limited any idle one
/// comes before a new one, and where the limit forbids that, the request waits for the next that comes free. Without such a limit no lock is taken.
/// </summary>
internal sealed class Http1Pool : IDisposable
{
    private readonly ConnectionLimits _limits;
    private readonly CircuitState _circuit;
    private readonly Func<DialContext, CancellationToken, ValueTask<Stream>> _dial;
    private readonly TimeProvider _time;
    private readonly ITimer? _sweeper;
    private readonly Lock _gate = new();

    // Under _gate, and only where connections are limited. A waiter gets a connection, or null: room to make one itself.
    private readonly Queue<TaskCompletionSource<Http1Connection?>> _waiting = [];

    // One shelf per loop, grown as loops appear; replaced as a whole.
    private volatile Shelf[] _shelves = [];
    private int _count;
    private volatile bool _retired;

    public Http1Pool(ConnectionLimits limits, CircuitState circuit, Func<DialContext, CancellationToken, ValueTask<Stream>> dial, TimeProvider time)
    {
        _limits = limits;
        _circuit = circuit;
        _dial = dial;
        _time = time;
        _sweeper = ConnectionAges.SweepPeriod(limits) is { } period ? time.CreateTimer(_ => Sweep(), null, period, period) : null;
    }

    private bool IsLimited => _limits.MaxConnections != uint.MaxValue;

    /// <exception cref="DialException">No connection could be made.</exception>
    /// <exception cref="UpstreamOverflowException">Too many requests wait already.</exception>
    public async ValueTask<Http1Connection> RentAsync(DialContext context, CancellationToken cancellation)
    {
        if (!IsLimited)
            return TakeIdle() ?? await OpenUnlimitedAsync(context, cancellation);

        TaskCompletionSource<Http1Connection?>? waiter = null;
        lock (_gate)
        {
            if (TakeIdle() is { } idle)
                return idle;
            if (!_circuit.TryEnterConnection(_limits, force: Volatile.Read(ref _count) == 0))
            {
                // Only who waits for another's connection is pending, not who makes its own.
                if (!_circuit.TryEnterPending(_limits))
                    throw new UpstreamOverflowException("pending requests");
                waiter = new TaskCompletionSource<Http1Connection?>(TaskCreationOptions.RunContinuationsAsynchronously);
                _waiting.Enqueue(waiter);
            }
            else
            {
                Interlocked.Increment(ref _count);
            }
        }

        if (waiter is null)
            return await OpenAsync(context, cancellation);
        try
        {
            await using var leaving = cancellation.UnsafeRegister(static (w, token) => ((TaskCompletionSource<Http1Connection?>)w!).TrySetCanceled(token), waiter);
            return await waiter.Task ?? await OpenAsync(context, cancellation);
        }
        finally
        {
            _circuit.LeavePending();
        }
    }

    /// <summary>Back after a request; closed where it cannot carry another.</summary>
    /// <param name="unused">Nothing was sent on it.</param>
    public void Return(Http1Connection connection, bool unused)
    {
        var now = _time.GetTimestamp();
        if (_retired || connection.Requests == _limits.MaxRequestsPerConnection || ConnectionAges.IsTooOld(_limits, connection.OpenedAt, _time) || !(unused || connection.TryFinish()))
            Close(connection);
        else if (!IsLimited)
            Shelve(connection, now);
        else
            HandOverOrShelve(connection, now);
    }

    private void HandOverOrShelve(Http1Connection connection, long now)
    {
        lock (_gate)
        {
            if (!HandOver(connection))
                Shelve(connection, now);
        }
    }

    private void Shelve(Http1Connection connection, long now)
    {
        if (!connection.TryBecomeIdle(now))
        {
            Close(connection);
            return;
        }

        ((Shelf)connection.Home!).Idle.Push(connection);

        // The pool may have been retired in between.
        if (_retired)
            Dispose();
    }

    /// <summary>Idle connections close, the others when their request has ended.</summary>
    public void Dispose()
    {
        _retired = true;
        _sweeper?.Dispose();
        foreach (var shelf in _shelves)
        {
            while (shelf.Idle.TryPop(out var connection))
            {
                if (connection.TryRetire())
                    Left();
            }
        }
    }

    private Http1Connection? TakeIdle()
    {
        var shelves = _shelves;
        var loop = EventLoop.Current;
        foreach (var shelf in shelves)
        {
            if (ReferenceEquals(shelf.Loop, loop) && TakeIdle(shelf) is { } own)
                return own;
        }

        // Another loop's costs two hops a request; one more connection costs less, where it is allowed.
        if (loop is not null && !IsLimited)
            return null;
        foreach (var shelf in shelves)
        {
            if (TakeIdle(shelf) is { } any)
                return any;
        }

        return null;
    }

    private Http1Connection? TakeIdle(Shelf shelf)
    {
        while (shelf.Idle.TryPop(out var connection))
        {
            if (!ConnectionAges.IsTooOld(_limits, connection.OpenedAt, _time))
            {
                if (connection.TryReuse())
                    return connection;
            }
            else if (connection.TryRetire())
            {
                Left();
            }
        }

        return null;
    }

    private ValueTask<Http1Connection> OpenUnlimitedAsync(DialContext context, CancellationToken cancellation)
    {
        _circuit.TryEnterConnection(_limits, force: true);
        Interlocked.Increment(ref _count);
        return OpenAsync(context, cancellation);
    }

    // Its place is counted already; a failure gives it back.
    private async ValueTask<Http1Connection> OpenAsync(DialContext context, CancellationToken cancellation)
    {
        try
        {
            var stream = await _dial(context, cancellation);
            var (input, output) = Pipes(stream);
            var pipe = (stream as LoopPipeStream)?.Pipe;
            var shelf = ShelfFor(pipe?.Loop ?? EventLoop.Current);
            return new Http1Connection(input, output, () => End(stream, input, output), pipe?.PeerEnded) { OpenedAt = _time.GetTimestamp(), OnIdleEnd = _ => Left(), Home = shelf };
        }
        catch
        {
            Left();
            throw;
        }
    }

    private void Close(Http1Connection connection)
    {
        connection.Dispose();
        Left();
    }

    // A place is free: the next that waits may make a connection of its own.
    private void Left()
    {
        Interlocked.Decrement(ref _count);
        _circuit.LeaveConnection();
        if (!IsLimited)
            return;
        lock (_gate)
        {
            while (_waiting.Count > 0 && _circuit.TryEnterConnection(_limits, force: Volatile.Read(ref _count) == 0))
            {
                Interlocked.Increment(ref _count);
                if (HandOver(null))
                    return;
                Interlocked.Decrement(ref _count);
                _circuit.LeaveConnection();
            }
        }
    }

    // Under _gate. Who has left does not take it; then it is the next one's.
    private bool HandOver(Http1Connection? connection)
    {
        while (_waiting.TryDequeue(out var waiter))
        {
            if (waiter.TrySetResult(connection))
                return true;
        }

        return false;
    }

    private void Sweep()
    {
        var now = _time.GetTimestamp();
        foreach (var shelf in _shelves)
        {
            var kept = new List<Http1Connection>();
            while (shelf.Idle.TryPop(out var connection))
            {
                if (connection.IsDead)
                    continue;
                if (ConnectionAges.IsTooOld(_limits, connection.OpenedAt, _time) || (_limits.IdleTimeout > TimeSpan.Zero && _time.GetElapsedTime(connection.IdleSince, now) >= _limits.IdleTimeout))
                {
                    if (connection.TryRetire())
                        Left();
                }
                else
                {
                    kept.Add(connection);
                }
            }

            for (var i = kept.Count - 1; i >= 0; i--)
                shelf.Idle.Push(kept[i]);
        }
    }

    private Shelf ShelfFor(EventLoop? loop)
    {
        foreach (var shelf in _shelves)
        {
            if (ReferenceEquals(shelf.Loop, loop))
                return shelf;
        }

        lock (_gate)
        {
            if (Array.Find(_shelves, s => ReferenceEquals(s.Loop, loop)) is { } there)
                return there;
            var made = new Shelf(loop);
            _shelves = [.. _shelves, made];
            return made;
        }
    }

    // A loop's own pipes save a copy in each direction.
    private static (PipeReader Input, PipeWriter Output) Pipes(Stream stream) => stream is LoopPipeStream connection
        ? (connection.Pipe.Input, connection.Pipe.Output)
        : (PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 16 * 1024, leaveOpen: true, useZeroByteReads: true)),
            PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true)));

    private static void End(Stream stream, PipeReader input, PipeWriter output)
    {
        if (stream is not LoopPipeStream)
        {
            input.CancelPendingRead();
            output.CancelPendingFlush();
        }

        stream.Dispose();
    }

    private sealed class Shelf(EventLoop? loop)
    {
        public EventLoop? Loop => loop;

        public ConcurrentStack<Http1Connection> Idle { get; } = new();
    }
}

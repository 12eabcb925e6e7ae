using Mesh.Net;
using Mesh.Waypoint.Http2;
using Mesh.Waypoint.Resilience;

namespace Mesh.Waypoint.Forwarding;

/// <summary>
/// HTTP/2 connections to one endpoint. A request goes on one of its own loop that has room for a stream, or on a new one; where connections are
/// limited on any that has room, and where the limit forbids a new one it waits for the next place. Who finds a place takes no lock.
/// </summary>
internal sealed class Http2Pool : IDisposable
{
    private readonly ConnectionLimits _limits;
    private readonly CircuitState _circuit;
    private readonly Func<DialContext, CancellationToken, ValueTask<Stream>> _dial;
    private readonly TimeProvider _time;
    private readonly ITimer? _sweeper;
    private readonly Lock _gate = new();

    // Under _gate, and only where connections are limited. A waiter gets a place, or null: it may look again.
    private readonly Queue<TaskCompletionSource<Http2ClientConnection?>> _waiting = [];

    // Changed under _gate, replaced as a whole.
    private volatile Http2ClientConnection[] _connections = [];

    // What the application allowed last: the next connection is taken to allow as many.
    private volatile int _capacity = Http2ClientConnection.AssumedStreams;
    private volatile bool _retired;

    public Http2Pool(ConnectionLimits limits, CircuitState circuit, Func<DialContext, CancellationToken, ValueTask<Stream>> dial, TimeProvider time)
    {
        _limits = limits;
        _circuit = circuit;
        _dial = dial;
        _time = time;
        _sweeper = ConnectionAges.SweepPeriod(limits) is { } period ? time.CreateTimer(_ => Sweep(), null, period, period) : null;
    }

    private bool IsLimited => _limits.MaxConnections != uint.MaxValue;

    /// <returns>A connection with a place reserved for one stream.</returns>
    /// <param name="home">The loop that the request is at home on; null: none.</param>
    /// <exception cref="DialException">No connection could be made.</exception>
    /// <exception cref="UpstreamOverflowException">Too many requests wait already.</exception>
    public async ValueTask<Http2ClientConnection> RentAsync(DialContext context, EventLoop? home, CancellationToken cancellation)
    {
        home ??= EventLoop.Current;
        var connection = Choose(home);
        while (connection is null)
            connection = TryOpen(context, home, out var waiter) ?? await WaitAsync(waiter!, cancellation) ?? Choose(home);
        if (connection.Opened.IsCompletedSuccessfully)
            return connection;
        try
        {
            await connection.Opened.WaitAsync(cancellation);
            return connection;
        }
        catch
        {
            connection.Release();
            throw;
        }
    }

    /// <summary>Connections close when their last request has ended.</summary>
    public void Dispose()
    {
        _retired = true;
        _sweeper?.Dispose();
        foreach (var connection in _connections)
            connection.Retire();
    }

    private Http2ClientConnection? Choose(EventLoop? home)
    {
        var connections = _connections;
        if (home is not null)
        {
            foreach (var connection in connections)
            {
                if (ReferenceEquals(connection.Home, home) && TryReserve(connection))
                    return connection;
            }

            // Another loop's costs two hops a request; one more connection costs less, where it is allowed.
            if (!IsLimited)
                return null;
        }

        foreach (var connection in connections)
        {
            if (TryReserve(connection))
                return connection;
        }

        return null;
    }

    private bool TryReserve(Http2ClientConnection connection)
    {
        if (ConnectionAges.IsTooOld(_limits, connection.OpenedAt, _time))
            connection.Retire();
        return connection.TryReserve();
    }

    /// <returns>Null: wait.</returns>
    private Http2ClientConnection? TryOpen(DialContext context, EventLoop? home, out TaskCompletionSource<Http2ClientConnection?>? waiter)
    {
        waiter = null;
        Http2ClientConnection made;
        lock (_gate)
        {
            if (Choose(home) is { } there)
                return there;
            if (!_circuit.TryEnterConnection(_limits, force: Array.TrueForAll(_connections, static c => c.IsRetired)))
            {
                // Only who waits for another's connection is pending, not who makes its own.
                if (!_circuit.TryEnterPending(_limits))
                    throw new UpstreamOverflowException("pending requests");
                waiter = new TaskCompletionSource<Http2ClientConnection?>(TaskCreationOptions.RunContinuationsAsynchronously);
                _waiting.Enqueue(waiter);
                return null;
            }

            made = new Http2ClientConnection(home, _limits.MaxRequestsPerConnection, _capacity, _time) { OnRoom = OnRoom, OnEnd = OnEnd };
            made.TryReserve();
            _connections = [.. _connections, made];
        }

        _ = DialAsync(made, context with { Http2 = true }, home);
        return made;
    }

    private async Task<Http2ClientConnection?> WaitAsync(TaskCompletionSource<Http2ClientConnection?> waiter, CancellationToken cancellation)
    {
        try
        {
            await using var leaving = cancellation.UnsafeRegister(static (w, token) => ((TaskCompletionSource<Http2ClientConnection?>)w!).TrySetCanceled(token), waiter);
            return await waiter.Task;
        }
        finally
        {
            _circuit.LeavePending();
        }
    }

    // For all that wait for it: it does not end with the request that needed it first.
    private async Task DialAsync(Http2ClientConnection connection, DialContext context, EventLoop? home)
    {
        try
        {
            var stream = home is null or { InLoop: true } ? await _dial(context, CancellationToken.None) : await home.InvokeAsync(() => _dial(context, CancellationToken.None).AsTask());
            connection.Start(LoopOf(stream) ?? home ?? throw new InvalidOperationException("the connection lives on no loop"), stream);
        }
        catch (Exception e)
        {
            connection.FailToOpen(e);
        }
    }

    private void OnRoom(Http2ClientConnection connection)
    {
        _capacity = Math.Max(1, connection.Capacity);
        if (_retired)
            connection.Retire();
        if (!IsLimited)
            return;
        lock (_gate)
        {
            while (_waiting.TryPeek(out var waiter))
            {
                if (waiter.Task.IsCompleted)
                {
                    _waiting.Dequeue();
                    continue;
                }

                if (!TryReserve(connection))
                    return;
                _waiting.Dequeue();
                if (!waiter.TrySetResult(connection))
                    connection.Release();
            }
        }
    }

    // Who waits may make a connection of its own.
    private void OnEnd(Http2ClientConnection connection)
    {
        lock (_gate)
        {
            _connections = Array.FindAll(_connections, c => !ReferenceEquals(c, connection));
            _circuit.LeaveConnection();
            while (_waiting.TryDequeue(out var waiter) && !waiter.TrySetResult(null))
            {
            }
        }
    }

    private void Sweep()
    {
        foreach (var connection in _connections)
        {
            if (ConnectionAges.IsTooOld(_limits, connection.OpenedAt, _time)
                || (connection.IsUnused && _limits.IdleTimeout > TimeSpan.Zero && _time.GetElapsedTime(connection.IdleSince) >= _limits.IdleTimeout))
                connection.Retire();
        }
    }

    private static EventLoop? LoopOf(Stream stream) => stream switch
    {
        LoopPipeStream plain => plain.Pipe.Loop,
        TlsStream { Loop: { } loop } => loop,
        _ => null,
    };
}

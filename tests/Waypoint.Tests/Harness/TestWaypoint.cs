using System.Collections.Concurrent;
using System.Net;
using Mesh.Net;
using Mesh.Waypoint.Authorization;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Configuration;
using Mesh.Waypoint.Filters;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Telemetry;
using Mesh.Waypoint.Transport;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.Waypoint.Tests.Harness;

/// <summary>What was reported about a request.</summary>
internal sealed record Reported(int Status, string Flags, string? Details, string? Route, string? Cluster, string? Host, int Attempts, string Path);

/// <summary>The whole data path on plain sockets: what listens on a loopback port is taken for a service's address.</summary>
internal sealed class TestWaypoint : IRequestReporter, IConnectionReporter, IAsyncDisposable
{
    // Of this test alone: what blocks its loop must not hold up another.
    private readonly EventLoop _loop = EventLoop.Start("test");
    private readonly DataPath _dataPath;
    private readonly List<LoopListener> _listeners = [];
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentQueue<Reported> _requests = new();
    private readonly ConcurrentQueue<ConnectionReport> _connections = new();
    private readonly SemaphoreSlim _reports = new(0);
    private readonly ConcurrentQueue<string> _internalErrors = new();

    public TestWaypoint(IUpstreamDialer? dialer = null, PathNormalization normalization = PathNormalization.Base, Random? random = null, FilterFolder? filters = null, bool refuseAmbiguousPaths = true, JwksFetcher? keys = null, WaypointLimits? limits = null, TimeProvider? time = null)
    {
        Configuration = new WaypointConfiguration(new ClusterRegistry(TimeProvider.System, random ?? Random.Shared));
        _dataPath = new DataPath(new DataPathParts
        {
            Configuration = Configuration,
            Dialer = dialer ?? new PlainDialer([_loop]),
            Requests = this,
            Connections = this,
            FetchKeys = keys ?? ((address, _) => throw new HttpRequestException($"{address} is away")),
            Loggers = NullLoggerFactory.Instance,
            PathNormalization = normalization,
            Random = random ?? Random.Shared,
            Filters = filters,
            RefuseAmbiguousPaths = refuseAmbiguousPaths,
            Limits = limits ?? WaypointLimits.Default,
            Time = time ?? TimeProvider.System,
        });
    }

    public WaypointConfiguration Configuration { get; }

    public RequestDecisions Decisions { get; } = new(100, 100, () => 1, TimeProvider.System, Random.Shared);

    /// <summary>Called with each exchange that has ended, on its own thread.</summary>
    public Action<Exchange>? OnReport { get; set; }

    public DataPath DataPath => _dataPath;

    public IReadOnlyCollection<ConnectionReport> Connections => _connections;

    public Task StartAsync() => _dataPath.StartAsync();

    /// <summary>Connections to the returned port are tunnels to <paramref name="original"/>.</summary>
    public IPEndPoint Serve(OriginalDestination original, Func<string?>? identity = null)
    {
        var listener = _loop.InvokeAsync(() => LoopListener.Listen(_loop, new ListenOptions { EndPoint = new IPEndPoint(IPAddress.Loopback, 0) }, socket =>
        {
            var caller = new Caller(identity is null ? Requests.Storefront : identity(), socket.RemoteEndPoint);
            _loop.Spawn(() => _dataPath.Inbound.ServeAsync(new SocketConnection(new SocketPipe(socket), original, caller), _end.Token));
        })).GetAwaiter().GetResult();
        _listeners.Add(listener);
        return listener.LocalEndPoint;
    }

    /// <summary>The reports in order; waits for the next one.</summary>
    public async Task<Reported> NextReportAsync()
    {
        Assert.True(await _reports.WaitAsync(TimeSpan.FromSeconds(20)), "no request was reported within 20 s");
        Assert.True(_requests.TryDequeue(out var report));
        return report;
    }

    public void Report(Exchange exchange, TimeSpan duration)
    {
        OnReport?.Invoke(exchange);
        Decisions.Record(exchange, duration);
        if (exchange.Details == "internal_error")
            _internalErrors.Enqueue(exchange.UpstreamFailure ?? "without a reason");
        _requests.Enqueue(new Reported(
            exchange.Http.Response.StatusCode,
            exchange.Flags.ToText(),
            exchange.Details,
            exchange.Route?.Name,
            exchange.Cluster?.Name,
            exchange.Endpoint?.Text,
            exchange.Attempts,
            exchange.OriginalPath));
        _reports.Release();
    }

    public void Report(ConnectionReport report) => _connections.Enqueue(report);

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        foreach (var listener in _listeners)
            await listener.Loop.InvokeAsync(listener.Dispose);
        using var now = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _dataPath.StopAsync(now.Token);
        _dataPath.Dispose();
        _loop.Dispose();
        _end.Dispose();
        _reports.Dispose();

        // Whatever a test looks at: an exception that nobody expected fails it.
        Assert.True(_internalErrors.IsEmpty, string.Join("\n", _internalErrors));
    }
}

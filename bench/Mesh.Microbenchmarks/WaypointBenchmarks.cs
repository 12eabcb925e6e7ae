using BenchmarkDotNet.Attributes;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;
using Mesh.Waypoint.RateLimiting;
using Mesh.Waypoint.Telemetry;

namespace Mesh.Microbenchmarks;

/// <summary>What a waypoint does per request, part by part. tests/Waypoint.Tests asserts what each may allocate.</summary>
[MemoryDiagnoser]
public class WaypointBenchmarks
{
    private readonly WaypointInputs _inputs = new();
    private readonly Random _random = new(1);
    private readonly BucketTable _buckets = new(new BucketRate(1_000_000, TimeSpan.FromSeconds(1), 1_000_000, TimeProvider.System), 1000);
    private WaypointMetrics _metrics = null!;
    private AccessLog _log = null!;
    private RequestDecisions _decisions = null!;
    private LogSink _sink = null!;

    [GlobalSetup]
    public void Setup()
    {
        if (!LogFilter.TryParse("info", out var filter, out var wrong))
            throw new InvalidOperationException($"\"{wrong}\" is not a level");
        _sink = new LogSink(Stream.Null, LogFormat.Json, filter, TimeProvider.System);
        _metrics = new WaypointMetrics(new MetricRegistry(), _inputs.Clusters);
        _log = new AccessLog(_sink);
        _decisions = new RequestDecisions(1024, 100, () => 1, TimeProvider.System, _random);
    }

    [GlobalCleanup]
    public void Cleanup() => _sink.Dispose();

    /// <summary>The last of twenty routes.</summary>
    [Benchmark]
    public object? MatchRoute() => _inputs.Port.Match(_inputs.Exchange.Facts)?.Route;

    /// <summary>Five ALLOW policies, of which the last allows.</summary>
    [Benchmark]
    public bool EvaluatePolicies() => _inputs.Policies.Evaluate(_inputs.PolicyFacts).IsAllowed;

    [Benchmark]
    public object? PickEndpoint() => _inputs.View.Pick(null, _random);

    [Benchmark]
    public bool TakeToken() => _buckets.Take("storefront", TimeProvider.System.GetTimestamp()).Taken;

    [Benchmark]
    public void RecordMetrics() => _metrics.Record(_inputs.Exchange, TimeSpan.FromMilliseconds(3));

    [Benchmark]
    public void WriteAccessLine() => _log.Write(_inputs.Exchange, TimeSpan.FromMilliseconds(3));

    [Benchmark]
    public void RecordDecision() => _decisions.Record(_inputs.Exchange, TimeSpan.FromMilliseconds(3));
}

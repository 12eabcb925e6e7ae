using System.Collections.Concurrent;
using System.Globalization;
using Mesh.Runtime.Metrics;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Telemetry.Overrides;

namespace Mesh.Waypoint.Telemetry;

/// <summary>The <c>istio_*</c> families with reporter="waypoint" (reference 5.6) and a few of our own about balancing.</summary>
internal sealed class WaypointMetrics
{
    private const string Unknown = "unknown";

    /// <summary>Envoy's default buckets, milliseconds and bytes alike.</summary>
    private static readonly double[] Buckets =
        [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000];

    private static readonly string Version = typeof(WaypointMetrics).Assembly.GetName().Version?.ToString(3) ?? "0";

    private static readonly string[] TcpLabels =
    [
        "reporter", "source_workload", "source_workload_namespace", "source_principal", "source_app", "source_version", "source_canonical_service",
        "source_canonical_revision", "source_cluster", "destination_workload", "destination_workload_namespace", "destination_principal",
        "destination_app", "destination_version", "destination_cluster", "destination_canonical_service", "destination_canonical_revision", "destination_service",
        "destination_service_name", "destination_service_namespace", "request_protocol", "response_flags", "connection_security_policy",
    ];

    private static readonly string[] RequestLabels = [.. TcpLabels, "response_code", "grpc_response_status"];

    private readonly CounterFamily _requests;
    private readonly HistogramFamily _duration;
    private readonly HistogramFamily _requestBytes;
    private readonly HistogramFamily _responseBytes;
    private readonly CounterFamily _opened;
    private readonly CounterFamily _closed;
    private readonly CounterFamily _sent;
    private readonly CounterFamily _received;
    private readonly ConcurrentDictionary<SeriesKey, RequestSeries> _series = new();
    private readonly ConcurrentDictionary<LabelSet, bool> _adjusted = new();

    public WaypointMetrics(MetricRegistry registry, ClusterRegistry clusters)
    {
        _requests = registry.Counter("istio_requests", "Requests that ended.", RequestLabels);
        _duration = registry.Histogram("istio_request_duration_milliseconds", "From the first byte of the request to the last of the response.", Buckets, RequestLabels, "milliseconds");
        _requestBytes = registry.Histogram("istio_request_bytes", "Size of request bodies.", Buckets, RequestLabels, "bytes");
        _responseBytes = registry.Histogram("istio_response_bytes", "Size of response bodies.", Buckets, RequestLabels, "bytes");
        registry.Gauge("istio_build", "Which program this is.", ["component", "tag"]).With(LabelSet.Of(("component", "proxy"), ("tag", Version))).Set(1);
        _opened = registry.Counter("istio_tcp_connections_opened", "TCP connections opened.", TcpLabels);
        _closed = registry.Counter("istio_tcp_connections_closed", "TCP connections closed.", TcpLabels);
        _sent = registry.Counter("istio_tcp_sent_bytes", "Bytes to clients of TCP connections.", TcpLabels, "bytes");
        _received = registry.Counter("istio_tcp_received_bytes", "Bytes from clients of TCP connections.", TcpLabels, "bytes");
        registry.SampledGauge("mesh_waypoint_ejected_endpoints", "Endpoints that outlier detection keeps away from requests at this moment.", writer =>
        {
            foreach (var cluster in clusters.All)
            {
                if (cluster.Outlier is { } outlier)
                    writer.Write(outlier.EjectedCount, LabelSet.Of(("cluster", cluster.Name)));
            }
        });
        registry.SampledCounter("mesh_waypoint_pushbacks", "How often an endpoint became less preferred because it answered that it is rate-limited.", writer =>
        {
            foreach (var cluster in clusters.All)
            {
                if (cluster.Pushbacks > 0)
                    writer.Write(cluster.Pushbacks, LabelSet.Of(("cluster", cluster.Name)));
            }
        });
        registry.SampledGauge("mesh_waypoint_active_requests", "Requests under way.", writer =>
        {
            foreach (var cluster in clusters.All)
            {
                if (cluster.View is not null)
                    writer.Write(cluster.Circuit.Requests, LabelSet.Of(("cluster", cluster.Name)));
            }
        });
    }

    public void Record(Exchange exchange, TimeSpan duration)
    {
        var key = new SeriesKey(
            exchange.Connection.Caller.Spiffe,
            exchange.Connection.Caller.Labels,
            exchange.Destination,
            exchange.Endpoint,
            exchange.Facts is { IsGrpc: true } ? "grpc" : "http",
            exchange.Flags,
            exchange.ReportedStatus,
            exchange.GrpcStatus);
        if (exchange.Destination?.Metrics is { } rules)
        {
            var adjusted = new AdjustedLabels(rules, RequestLabels, RequestValues(key, exchange.Connection.Caller), new RequestAttributes(exchange), _adjusted);
            adjusted.Of(_requests)?.Increment();
            adjusted.Of(_duration)?.Observe(duration.TotalMilliseconds);
            adjusted.Of(_requestBytes)?.Observe(exchange.BytesReceived);
            adjusted.Of(_responseBytes)?.Observe(exchange.BytesSent);
            return;
        }

        if (!_series.TryGetValue(key, out var series))
            series = _series.GetOrAdd(key, MakeRequestSeries(key, exchange.Connection.Caller));
        series.Requests.Increment();
        series.Duration.Observe(duration.TotalMilliseconds);
        series.RequestBytes.Observe(exchange.BytesReceived);
        series.ResponseBytes.Observe(exchange.BytesSent);
    }

    public void Record(ConnectionReport report)
    {
        var key = new SeriesKey(report.Connection.Caller.Spiffe, report.Connection.Caller.Labels, report.Destination, report.Endpoint, "tcp", report.Flags, 0, null);
        if (report.Destination?.Metrics is { } rules)
        {
            var adjusted = new AdjustedLabels(rules, TcpLabels, Values(key, report.Connection.Caller), new ConnectionAttributes(report), _adjusted);
            adjusted.Of(_opened)?.Increment();
            adjusted.Of(_closed)?.Increment();
            adjusted.Of(_sent)?.Add(report.BytesSent);
            adjusted.Of(_received)?.Add(report.BytesReceived);
            return;
        }

        var labels = LabelSet.Of(TcpLabels, Values(key, report.Connection.Caller));
        _opened.With(labels).Increment();
        _closed.With(labels).Increment();
        _sent.With(labels).Add(report.BytesSent);
        _received.With(labels).Add(report.BytesReceived);
    }

    private RequestSeries MakeRequestSeries(SeriesKey key, Caller caller)
    {
        var labels = LabelSet.Of(RequestLabels, RequestValues(key, caller));
        return new RequestSeries(_requests.With(labels), _duration.With(labels), _requestBytes.With(labels), _responseBytes.With(labels));
    }

    private static string[] RequestValues(SeriesKey key, Caller caller) =>
    [
        .. Values(key, caller),
        key.Status.ToString(CultureInfo.InvariantCulture),
        key.GrpcStatus?.ToString(CultureInfo.InvariantCulture) ?? string.Empty,
    ];

    private static string[] Values(SeriesKey key, Caller caller)
    {
        var endpoint = key.Endpoint?.Description;
        var destination = key.Destination is { IsWorkload: false } service ? service : null;
        return
        [
            "waypoint",
            caller.Labels.Workload,
            caller.Namespace ?? Unknown,
            caller.Spiffe ?? Unknown,
            caller.Labels.Service,
            caller.Labels.Revision,
            caller.Labels.Service,
            caller.Labels.Revision,
            caller.Labels.Cluster,
            Or(endpoint?.WorkloadName),
            Or(endpoint?.WorkloadNamespace),
            Or(endpoint?.Identities is { Count: > 0 } identities ? identities[0] : null),
            Or(endpoint?.CanonicalName),
            Or(endpoint?.CanonicalRevision),
            Or(endpoint?.ClusterId),
            Or(endpoint?.CanonicalName),
            Or(endpoint?.CanonicalRevision),
            destination?.Hostname ?? Unknown,
            destination is null ? Unknown : destination.Hostname.Split('.')[0],
            destination?.Namespace ?? Unknown,
            key.Protocol,
            key.Flags.ToText(),
            caller.Spiffe is null ? "none" : "mutual_tls",
        ];
    }

    private static string Or(string? value) => string.IsNullOrEmpty(value) ? Unknown : value;

    private readonly record struct SeriesKey(
        string? Source, ClientLabels Labels, Destination? Destination, EndpointState? Endpoint, string Protocol, ResponseFlags Flags, int Status, int? GrpcStatus);

    private sealed record RequestSeries(Counter Requests, Histogram Duration, Histogram RequestBytes, Histogram ResponseBytes);
}

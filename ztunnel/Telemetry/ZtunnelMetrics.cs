using Mesh.Runtime.Metrics;

namespace Mesh.Ztunnel.Telemetry;

/// <summary>The metric families of this process, in the order in which the page prints them. Names, labels and help texts are those of the Rust ztunnel.</summary>
internal sealed class ZtunnelMetrics
{
    private static readonly string[] Reporter = ["reporter"];
    private static readonly string[] DnsLabels = ["request_query_type", "request_protocol", "source_canonical_service", "source_canonical_revision"];

    public ZtunnelMetrics(MetricRegistry registry, string istioVersion)
    {
        registry.Gauge("istio_build", "Istio component build info.", ["component", "tag"]).With("ztunnel", istioVersion).Set(1);
        XdsTerminations = registry.Counter("istio_xds_connection_terminations", "The total number of completed connections to xds server (unstable).", ["reason"]);
        XdsMessages = registry.Counter("istio_xds_message", "Total number of messages received (unstable).", ["url"]);
        XdsBytes = registry.Counter("istio_xds_message_bytes", "Total number of bytes received (unstable).", ["url"], "bytes");
        Opened = registry.Counter("istio_tcp_connections_opened", "The total number of TCP connections opened.", TrafficLabels.Names);
        Closed = registry.Counter("istio_tcp_connections_closed", "The total number of TCP connections closed.", TrafficLabels.Names);
        Received = registry.Counter("istio_tcp_received_bytes", "The size of total bytes received during request in case of a TCP connection.", TrafficLabels.Names);
        Sent = registry.Counter("istio_tcp_sent_bytes", "The size of total bytes sent during response in case of a TCP connection.", TrafficLabels.Names);
        Failed = registry.Counter("istio_tcp_connections_failed", "The total number of TCP connections that failed to establish (unstable).", TrafficLabels.Names);
        OnDemandDns = registry.Counter("istio_on_demand_dns", "The total number of requests that used on-demand DNS (unstable).", [.. TrafficLabels.Names[1..9], "hostname"]);
        var sockets = registry.Gauge("istio_tcp_sockets_open", "The current number of open TCP sockets (unstable).", Reporter);
        SourceSockets = new Lazy<Gauge>(() => sockets.With("source"));
        DestinationSockets = new Lazy<Gauge>(() => sockets.With("destination"));
        CrlRejections = registry.Counter("istio_crl_policy_rejections", "Connections refused or ended because a certificate is revoked (unstable).", Reporter);
        DnsRequests = registry.Counter("istio_dns_requests", "Total number of DNS requests (unstable).", DnsLabels);
        DnsUpstreamRequests = registry.Counter("istio_dns_upstream_requests", "Total number of DNS requests forwarded to upstream (unstable).", DnsLabels);
        DnsUpstreamFailures = registry.Counter("istio_dns_upstream_failures", "Total number of DNS requests that failed to forward upstream (unstable).", DnsLabels);
        DnsUpstreamDuration = registry.Histogram(
            "istio_dns_upstream_request_duration_seconds",
            "Total time in seconds Istio takes to get DNS response from upstream (unstable).",
            [0.0005, 0.001, 0.01, 0.1, 1, 5],
            DnsLabels,
            "seconds");
        ActiveProxies = registry.Gauge("workload_manager_active_proxy_count", "The total number current workloads with active proxies (unstable).").With();
        PendingProxies = registry.Gauge("workload_manager_pending_proxy_count", "The total number current workloads with pending proxies (unstable).").With();
        ProxiesStarted = registry.Counter("workload_manager_proxies_started", "The total number of proxies that were started (unstable).").With();
        ProxiesStopped = registry.Counter("workload_manager_proxies_stopped", "The total number of proxies that were stopped (unstable).").With();
        CaptureRepairs = registry.Counter("ztunnel_capture_repairs", "How often the capture rules of a pod had been changed by somebody else and were written again.").With();
    }

    public CounterFamily XdsTerminations { get; }

    public CounterFamily XdsMessages { get; }

    public CounterFamily XdsBytes { get; }

    public CounterFamily Opened { get; }

    public CounterFamily Closed { get; }

    public CounterFamily Failed { get; }

    /// <summary>From the client to the server, whoever reports.</summary>
    public CounterFamily Received { get; }

    /// <summary>From the server to the client, whoever reports.</summary>
    public CounterFamily Sent { get; }

    public CounterFamily OnDemandDns { get; }

    /// <summary>Made by the first connection: a family without samples is not printed.</summary>
    public Lazy<Gauge> SourceSockets { get; }

    public Lazy<Gauge> DestinationSockets { get; }

    public CounterFamily CrlRejections { get; }

    public CounterFamily DnsRequests { get; }

    public CounterFamily DnsUpstreamRequests { get; }

    public CounterFamily DnsUpstreamFailures { get; }

    public HistogramFamily DnsUpstreamDuration { get; }

    public Gauge ActiveProxies { get; }

    public Gauge PendingProxies { get; }

    public Counter ProxiesStarted { get; }

    public Counter ProxiesStopped { get; }

    public Counter CaptureRepairs { get; }
}

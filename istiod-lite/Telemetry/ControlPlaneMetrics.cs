using Mesh.Runtime.Metrics;

namespace Mesh.IstiodLite.Telemetry;

/// <summary>Metrics of the control plane; Istio's names where the meaning is the same.</summary>
internal sealed class ControlPlaneMetrics
{
    // From a change that is noticed at once to one that waited for a slow client.
    private static readonly double[] _seconds = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];

    public ControlPlaneMetrics(MetricRegistry registry)
    {
        Registry = registry;
        Clients = registry.Gauge("pilot_xds", "Number of endpoints connected to this pilot using XDS").With();
        Pushes = registry.Counter("pilot_xds_pushes", "Responses that were sent, by type", ["type"]);
        Rejects = registry.Counter("pilot_total_xds_rejects", "Total number of XDS responses from pilot rejected by proxy", ["type"]);
        ConnectionsClosed = registry.Counter("pilot_xds_authentication_failures", "Streams refused because nobody was authenticated").With();
        Services = registry.Gauge("pilot_services", "Total services known to pilot").With();
        VirtualServices = registry.Gauge("pilot_virt_services", "Total virtual services known to pilot").With();
        ConfigurationEvents = registry.Counter("pilot_k8s_cfg_events", "Changes of configuration that were taken over").With();
        PushTime = registry.Histogram("pilot_xds_push_time", "Seconds to translate a change and hand it to the streams", _seconds).With();
        Convergence = registry.Histogram("pilot_proxy_convergence_time", "Seconds between a change being noticed and a client having been sent it", _seconds).With();
        ConvergenceOfAll = registry.Histogram("istiod_lite_convergence_time", "Seconds between a change being noticed and the last connected client having answered it", _seconds).With();
        CsrRequests = registry.Counter("citadel_server_csr_count", "The number of CSRs received by Citadel server").With();
        CertificatesIssued = registry.Counter("citadel_server_success_cert_issuance_count", "The number of certificates issuances that have succeeded").With();
        AuthenticationFailures = registry.Counter("citadel_server_authentication_failure_count", "The number of authentication failures").With();
        CsrParsingErrors = registry.Counter("citadel_server_csr_parsing_err_count", "The number of errors occurred when parsing the CSR").With();
        Documents = registry.Gauge("istiod_lite_documents", "Documents in force").With();
        KeptDocuments = registry.Gauge("istiod_lite_documents_kept", "Documents in force in their last good version because the current one is refused").With();
        Problems = registry.Gauge("istiod_lite_problems", "What is wrong with documents", ["severity"]);
    }

    public MetricRegistry Registry { get; }
    public Gauge Clients { get; }
    public CounterFamily Pushes { get; }
    public CounterFamily Rejects { get; }
    public Counter ConnectionsClosed { get; }
    public Gauge Services { get; }
    public Gauge VirtualServices { get; }
    public Counter ConfigurationEvents { get; }
    public Histogram PushTime { get; }
    public Histogram Convergence { get; }
    public Histogram ConvergenceOfAll { get; }
    public Counter CsrRequests { get; }
    public Counter CertificatesIssued { get; }
    public Counter AuthenticationFailures { get; }
    public Counter CsrParsingErrors { get; }
    public Gauge Documents { get; }
    public Gauge KeptDocuments { get; }
    public GaugeFamily Problems { get; }

    /// <summary>"istio.workload.Address" of a type URL.</summary>
    public static string ShortType(string typeUrl) => typeUrl[(typeUrl.LastIndexOf('/') + 1)..];
}

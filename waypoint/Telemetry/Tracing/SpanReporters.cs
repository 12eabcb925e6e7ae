using System.Collections.Concurrent;
using System.Diagnostics;
using Mesh.Waypoint.Forwarding;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Mesh.Waypoint.Telemetry.Tracing;

/// <summary>
/// Sends spans to collectors as OTLP, in batches, by OpenTelemetry; over the waypoint's own way to services. One exporter per collector; they stay for
/// the life of the process, because there are as many as collectors were ever configured.
/// </summary>
internal sealed class SpanReporters(ServiceClients services, string serviceName) : IDisposable
{
    private const string SourceName = "mesh.waypoint";

    // Half of OpenTelemetry's default: a person who looks for the request just made should find it.
    private const int BatchDelayMilliseconds = 2500;

    private readonly ConcurrentDictionary<ReporterKey, Lazy<Reporter>> _reporters = new();

    public ActivitySource SourceOf(ReporterKey key) =>
        (_reporters.TryGetValue(key, out var there) ? there : _reporters.GetOrAdd(key, k => new Lazy<Reporter>(() => new Reporter(k, services, serviceName)))).Value.Source;

    /// <summary>What is waiting goes out; returns when it has, or has failed.</summary>
    public void Dispose()
    {
        foreach (var reporter in _reporters.Values)
            reporter.Value.Dispose();
    }

    private sealed class Reporter : IDisposable
    {
        private readonly TracerProvider _provider;
        private readonly HttpClient _http;

        public Reporter(ReporterKey key, ServiceClients services, string serviceName)
        {
            // A name of its own keeps each collector's spans apart from the others'.
            var name = $"{SourceName}/{key}";
            Source = new ActivitySource(name);
            _http = new HttpClient(services.Transport(key.Cluster), disposeHandler: true) { Timeout = key.Timeout };
            // Not by the exporter's options: those cannot carry a value with a comma.
            foreach (var (header, value) in key.HeaderList)
                _http.DefaultRequestHeaders.TryAddWithoutValidation(header, value);
            var options = new OtlpExporterOptions
            {
                Endpoint = new Uri($"http://{key.Authority}{key.HttpPath}"),
                Protocol = key.HttpPath.Length == 0 ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf,
                TimeoutMilliseconds = (int)key.Timeout.TotalMilliseconds,
                HttpClientFactory = () => _http,
            };
            _provider = Sdk.CreateTracerProviderBuilder()
                .SetSampler(new AlwaysOnSampler())
                .SetResourceBuilder(ResourceBuilder.CreateEmpty().AddService(serviceName, autoGenerateServiceInstanceId: false))
                .AddSource(name)
                .AddProcessor(new BatchActivityExportProcessor(new OtlpTraceExporter(options), scheduledDelayMilliseconds: BatchDelayMilliseconds))
                .Build();
        }

        public ActivitySource Source { get; }

        public void Dispose()
        {
            _provider.Dispose();
            Source.Dispose();
            _http.Dispose();
        }
    }
}

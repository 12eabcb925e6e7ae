using Mesh.Waypoint.V1;

namespace Mesh.IstiodLite.Tests.Waypoints;

public sealed class TelemetryTests
{
    private const string Collector = "apiVersion: v1\nkind: Service\nmetadata: { name: otel, namespace: infra }\nspec: { selector: { app: otel }, ports: [ { name: grpc, port: 4317 } ] }\n";

    private const string Mesh = """
        apiVersion: v1
        kind: ConfigMap
        metadata: { name: istio, namespace: istio-system }
        data:
          mesh: |
            defaultConfig: { tracing: { sampling: 5, zipkin: { address: x } }, concurrency: 2 }
            extensionProviders:
            - name: otel
              opentelemetry: { service: otel.infra.svc.cluster.local, port: 4317, maxTagLength: 99, http: { path: /v1/traces, timeout: 3s, headers: [ { name: x-token, value: t } ] } }
            - name: logs
              envoyFileAccessLog: { path: /dev/stdout }
            - name: fields
              envoyFileAccessLog: { path: /dev/stdout, omitEmptyValues: true, logFormat: { labels: { code: "%RESPONSE_CODE%", path: "%REQ(:PATH)%" } } }
            - name: odd
              envoyFileAccessLog: { path: /dev/stdout, logFormat: { text: "%NOPE%" } }
        """;

    private static string Telemetry(string spec, string name = "t", string ns = "default") =>
        $"apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{ name: {name}, namespace: {ns} }}\nspec:\n{spec}";

    private static (Mesh.Waypoint.V1.Telemetry? Telemetry, IReadOnlyList<Resources.Problem> Problems) Translate(params string[] more)
    {
        var mesh = Documents.Translate([Documents.PaymentService, Documents.PaymentWaypoint, Documents.Pod("p1", "payment", "198.18.2.2"), Collector, Mesh, .. more]);
        return (((Service)mesh.Waypoints["default/payment-waypoint"].Services["default/payment.default.svc.cluster.local"]).Telemetry, mesh.Problems);
    }

    [Fact]
    public void Nothing_Written_IsNothingSent() => Assert.Null(Translate().Telemetry);

    [Fact]
    public void Tracing_FromTheRootNamespaceToTheTarget_EachSaysWhatItHas()
    {
        var (telemetry, problems) = Translate(
            Telemetry("  tracing: [ { providers: [ { name: otel } ], customTags: { a: { literal: { value: b } }, h: { header: { name: x-h, defaultValue: none } } } } ]\n", ns: "istio-system"),
            Telemetry("  tracing: [ { match: { mode: SERVER }, randomSamplingPercentage: 20 }, { match: { mode: CLIENT }, randomSamplingPercentage: 99 } ]\n", "own"),
            Telemetry("  targetRefs: [ { kind: Service, name: payment } ]\n  tracing: [ { enableIstioTags: false } ]\n  accessLogging: [ { disabled: true } ]\n", "target"),
            Telemetry("  selector: { matchLabels: { app: payment } }\n  tracing: [ { randomSamplingPercentage: 77 } ]\n", "selected"));
        var tracing = telemetry!.Tracing;
        Assert.Equal(("otel", 20.0, true, false, 99u), (tracing.Provider, tracing.SamplingPercent, tracing.DisableIstioTags, tracing.DisableContextPropagation, tracing.MaxTagLength));
        Assert.Equal(("infra/otel.infra.svc.cluster.local|4317|", "otel.infra.svc.cluster.local:4317", "/v1/traces", 3L, "t"),
            (tracing.Cluster, tracing.Authority, tracing.HttpPath, tracing.Timeout.Seconds, tracing.Headers["x-token"]));
        Assert.Equal([("a", "b", ""), ("h", "x-h", "none")], tracing.Tags.Select(t => (t.Name, t.Literal + t.Header, t.Fallback)));
        Assert.True(telemetry.AccessLogDisabled);
        Assert.Empty(problems);
    }

    [Fact]
    public void AccessLogging_ProviderAndFilter_TheMostSpecialSays()
    {
        var log = Translate(
            Telemetry("  accessLogging: [ { providers: [ { name: logs } ], filter: { expression: 'response.code >= 500' } } ]\n", ns: "istio-system"),
            Telemetry("  accessLogging: [ { match: { mode: CLIENT }, filter: { expression: 'true' } }, { filter: { expression: 'response.code >= 400' } } ]\n")).Telemetry!.AccessLog;
        Assert.Equal("response.code >= 400", log.Filter);
        Assert.StartsWith("[%START_TIME%] \"%REQ(:METHOD)%", log.Text, StringComparison.Ordinal);
        var fields = Translate(Telemetry("  accessLogging: [ { providers: [ { name: fields } ] } ]\n")).Telemetry!.AccessLog;
        Assert.Equal([("code", "%RESPONSE_CODE%"), ("path", "%REQ(:PATH)%")], fields.Fields.Select(f => (f.Name, f.Format)));
        Assert.Empty(fields.Text);
        Assert.Equal((false, true), (log.OmitEmpty, fields.OmitEmpty));
    }

    [Theory]
    [InlineData("accessLogFile: /dev/stdout", "[%START_TIME%]", null)]
    [InlineData("accessLogFile: /dev/stdout\n    accessLogFormat: \"%PROTOCOL%\"", "%PROTOCOL%", null)]
    [InlineData("accessLogFile: /dev/stdout\n    accessLogEncoding: JSON", "", "start_time")]
    [InlineData("accessLogFile: /dev/stdout\n    accessLogEncoding: JSON\n    accessLogFormat: '{\"m\": \"%REQ(:METHOD)%\"}'", "", "m")]
    [InlineData("defaultProviders: { accessLogging: [ envoy ] }", "[%START_TIME%]", null)]
    [InlineData("accessLogFormat: \"%PROTOCOL%\"", null, null)]
    public void AccessLogging_OfTheMeshConfig_IsTheFormat(string mesh, string? text, string? field)
    {
        var config = $"apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: istio, namespace: istio-system }}\ndata:\n  mesh: |\n    {mesh}\n";
        var translated = Documents.Translate([Documents.PaymentService, Documents.PaymentWaypoint, Documents.Pod("p1", "payment", "198.18.2.2"), config]);
        Assert.Empty(translated.Problems);
        var log = ((Service)translated.Waypoints["default/payment-waypoint"].Services["default/payment.default.svc.cluster.local"]).Telemetry?.AccessLog;
        if (text is null)
            Assert.Null(log);
        else
            Assert.StartsWith(text, log!.Text, StringComparison.Ordinal);
        Assert.Equal(field, log?.Fields.FirstOrDefault()?.Name);
    }

    [Fact]
    public void Metrics_Overrides_AreOneEntryPerFamily_LaterOnesOverEarlier()
    {
        var (telemetry, problems) = Translate(
            Telemetry("  metrics: [ { providers: [ { name: prometheus } ], overrides: [ { match: { metric: ALL_METRICS }, tagOverrides: { host: { value: request.host }, source_principal: { operation: REMOVE } } } ] } ]\n", ns: "istio-system"),
            Telemetry("  metrics: [ { overrides: [ { match: { metric: REQUEST_COUNT, mode: SERVER }, tagOverrides: { host: { value: \"'x'\" } } }, { match: { metric: REQUEST_SIZE }, disabled: true }, { match: { mode: CLIENT }, disabled: true } ] } ]\n"));
        Assert.Empty(problems);
        Assert.Equal(8, telemetry!.Metrics.Count);
        var requests = Assert.Single(telemetry.Metrics, m => m.Family == "istio_requests");
        Assert.Equal([("host", "'x'", false), ("source_principal", "", true)], requests.Tags.Select(t => (t.Name, t.Value, t.Remove)).OrderBy(t => t.Name, StringComparer.Ordinal));
        Assert.Equal(["istio_request_bytes"], telemetry.Metrics.Where(m => m.Disabled).Select(m => m.Family));
    }

    [Fact]
    public void Tracing_DefaultProvider_HasTheMeshsSampling()
    {
        var tracing = Translate(Telemetry("  tracing: [ { providers: [ { name: otel } ], disableSpanReporting: true } ]\n")).Telemetry!.Tracing;
        Assert.Equal((5.0, string.Empty), (tracing.SamplingPercent, tracing.Cluster));
    }

    [Theory]
    [InlineData("  tracing: [ { providers: [ { name: ghost } ] } ]\n", "its tracing provider \"ghost\" is not an opentelemetry provider")]
    [InlineData("  metrics: [ { providers: [ { name: stackdriver } ] } ]\n", "its metrics are for stackdriver")]
    [InlineData("  metrics: [ { overrides: [ { match: { metric: GRPC_REQUEST_MESSAGES }, disabled: true } ] } ]\n", "overrides the metric GRPC_REQUEST_MESSAGES, which a waypoint does not have here")]
    [InlineData("  metrics: [ { overrides: [ { tagOverrides: { a: { value: 'request.kode' } } } ] } ]\n", "its value of the tag a is not used: the expression")]
    [InlineData("  metrics: [ { overrides: [ { tagOverrides: { a-b: { value: request.host } } } ] } ]\n", "its tag \"a-b\" cannot be the name of a label")]
    [InlineData("  accessLogging: [ { filter: { expression: 'response.code.matches(3)' } } ]\n", "its accessLogging filter is not used, so every request is logged: the expression")]
    [InlineData("  accessLogging: [ { filter: { expression: 'response.code' } } ]\n", "its accessLogging filter \"response.code\" is no condition")]
    [InlineData("  accessLogging: [ { providers: [ { name: otel } ] } ]\n", "its access log provider \"otel\" is not an envoyFileAccessLog provider")]
    [InlineData("  accessLogging: [ { providers: [ { name: envoy }, { name: logs } ] } ]\n", "names 2 access log providers, of which only envoy is used")]
    [InlineData("  accessLogging: [ { providers: [ { name: odd } ] } ]\n", "its access log format is not used: access log format: the command %NOPE% is not known here")]
    public void WhatHasNoEffect_IsNamed(string spec, string reason) =>
        Assert.Contains(Translate(Telemetry(spec)).Problems, p => p.Document == "Telemetry default/t" && p.Reason.StartsWith(reason, StringComparison.Ordinal));

    [Fact]
    public void Misspelt_IsRefused() =>
        Assert.Contains(Documents.Parse(Telemetry("  tracing: [ { randomSamplingPercent: 1 } ]\n")).Problems, p => p.Fix.Contains("did you mean randomSamplingPercentage?", StringComparison.Ordinal));
}

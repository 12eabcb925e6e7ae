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
    public void Tracing_DefaultProvider_HasTheMeshsSampling()
    {
        var tracing = Translate(Telemetry("  tracing: [ { providers: [ { name: otel } ], disableSpanReporting: true } ]\n")).Telemetry!.Tracing;
        Assert.Equal((5.0, string.Empty), (tracing.SamplingPercent, tracing.Cluster));
    }

    [Theory]
    [InlineData("  tracing: [ { providers: [ { name: ghost } ] } ]\n", "its tracing provider \"ghost\" is not an opentelemetry provider")]
    [InlineData("  metrics: [ { providers: [ { name: prometheus } ] } ]\n", "its metrics overrides have no effect")]
    [InlineData("  accessLogging: [ { filter: { expression: 'response.code >= 400' } } ]\n", "its accessLogging filter has no effect")]
    public void WhatHasNoEffect_IsNamed(string spec, string reason) =>
        Assert.Contains(Translate(Telemetry(spec)).Problems, p => p.Document == "Telemetry default/t" && p.Reason.StartsWith(reason, StringComparison.Ordinal));

    [Fact]
    public void Misspelt_IsRefused() =>
        Assert.Contains(Documents.Parse(Telemetry("  tracing: [ { randomSamplingPercent: 1 } ]\n")).Problems, p => p.Fix.Contains("did you mean randomSamplingPercentage?", StringComparison.Ordinal));
}

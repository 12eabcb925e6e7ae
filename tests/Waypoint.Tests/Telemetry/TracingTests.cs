using System.Text.Json;
using Mesh.Testing;
using Mesh.Waypoint.Telemetry.Tracing;
using Mesh.Waypoint.Tests.Balancing;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Telemetry;

public sealed class TracingTests
{
    private const string Cluster = "infra/collector.infra|4317|";
    private const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    private const string Parent = "00f067aa0ba902b7";

    private static async Task<OneService> MeshAsync(int origin, int collector, Action<V1.Tracing> change)
    {
        var mesh = await OneService.StartAsync([origin]);
        Assert.Empty(mesh.Waypoint.Configuration.ApplyClusters([(Cluster, PythonService.Cluster(Cluster, collector))], []));
        var tracing = new V1.Tracing { Provider = "otel", Cluster = Cluster, Authority = "collector.infra:4317", SamplingPercent = 100, Timeout = Clusters.Seconds(20) };
        change(tracing);
        mesh.ChangeService(s => s.Telemetry = new V1.Telemetry { Tracing = tracing });
        return mesh;
    }

    private static Task<Origin> HeadersAsync() => Origin.StartAsync(http =>
    {
        http.Response.StatusCode = http.Request.Path == "/broken" ? 503 : 200;
        return http.Response.WriteAsync(string.Join('\n', new[] { "traceparent", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled" }.Select(n => http.Request.Headers[n].ToString())));
    });

    private static async Task<JsonElement> SpanAsync(PythonService collector)
    {
        var line = await collector.Output.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60));
        return JsonDocument.Parse(line ?? throw new InvalidOperationException("the collector ended")).RootElement;
    }

    private static string Text(JsonElement span, string name) => span.GetProperty(name).GetString()!;

    [PythonGrpcTheory]
    [InlineData("grpc", "")]
    [InlineData("http", "/v1/traces")]
    public async Task Span_OfARequest_ArrivesWithIdsNameAndTags(string protocol, string path)
    {
        using var collector = await PythonService.StartAsync("otlp_collector.py", protocol);
        await using var origin = await HeadersAsync();
        await using var mesh = await MeshAsync(origin.Port, collector.Port, t =>
        {
            t.HttpPath = path;
            t.Headers["x-token"] = "a=b,c";
            t.Tags.Add([
                new V1.Tracing.Types.SpanTag { Name = "team", Literal = "shop" },
                new V1.Tracing.Types.SpanTag { Name = "plan", Header = "x-plan", Fallback = "free" },
                new V1.Tracing.Types.SpanTag { Name = "code", Format = "%RESPONSE_CODE%/%REQ(:METHOD)%" }]);
        });
        var upstream = (await mesh.TextAsync("/broken?q", ("traceparent", $"00-{Trace}-{Parent}-01"), ("Host", "shop.example"))).Split('\n')[0];
        var span = await SpanAsync(collector);
        Assert.Equal((protocol == "grpc" ? "grpc" : "http /v1/traces", "a=b,c", "waypoint"), (Text(span, "via"), Text(span, "token"), Text(span, "service")));
        Assert.Equal((Trace, Parent, "orders.shop.svc.cluster.local:80/*", 2), (Text(span, "trace"), Text(span, "parent"), Text(span, "name"), span.GetProperty("kind").GetInt32()));
        Assert.Equal($"00-{Trace}-{Text(span, "span")}-01", upstream);
        Assert.True(span.GetProperty("end").GetUInt64() >= span.GetProperty("start").GetUInt64());
        var tags = span.GetProperty("tags");
        Assert.Equal(("GET", "http://shop.example/broken?q", "503", "HTTP/1.1", "true"), (Text(tags, "http.method"), Text(tags, "http.url"), Text(tags, "http.status_code"), Text(tags, "http.protocol"), Text(tags, "error")));
        Assert.Equal((OneService.ClusterName, "-", "pod-1", "shop"), (Text(tags, "upstream_cluster"), Text(tags, "response_flags"), Text(tags, "istio.destination_workload"), Text(tags, "istio.source_namespace")));
        Assert.Equal(("shop", "free", "503/GET"), (Text(tags, "team"), Text(tags, "plan"), Text(tags, "code")));
        Assert.Equal(2, span.GetProperty("status").GetInt32());
    }

    [PythonGrpcFact]
    public async Task Sampling_TheCallersDecisionCounts_ElseTheShare()
    {
        using var collector = await PythonService.StartAsync("otlp_collector.py", "grpc");
        await using var origin = await HeadersAsync();
        await using var mesh = await MeshAsync(origin.Port, collector.Port, t => t.SamplingPercent = 0);
        Assert.EndsWith("-00", (await mesh.TextAsync("/")).Split('\n')[0], StringComparison.Ordinal);
        Assert.EndsWith("-00", (await mesh.TextAsync("/", ("traceparent", $"00-{Trace}-{Parent}-00"))).Split('\n')[0], StringComparison.Ordinal);
        await mesh.TextAsync("/wanted", ("traceparent", $"00-{Trace}-{Parent}-01"));

        // The only span that comes is the one that was asked for.
        Assert.EndsWith("/wanted", Text((await SpanAsync(collector)).GetProperty("tags"), "http.url"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Propagation_B3_IsContinuedInTheFormInWhichItCame()
    {
        await using var origin = await HeadersAsync();
        await using var mesh = await MeshAsync(origin.Port, 1, _ => { });
        var single = (await mesh.TextAsync("/", ("b3", $"{Trace}-{Parent}-1"))).Split('\n');
        Assert.Equal((string.Empty, string.Empty), (single[0], single[2]));
        Assert.Matches($"^{Trace}-[0-9a-f]{{16}}-1-{Parent}$", single[1]);
        var several = (await mesh.TextAsync("/", ("x-b3-traceid", Parent), ("x-b3-spanid", Parent), ("x-b3-sampled", "0"))).Split('\n');
        Assert.Equal((string.Empty, new string('0', 16) + Parent, Parent, "0"), (several[0], several[2], several[4], several[5]));
        Assert.NotEqual(Parent, several[3]);
    }

    [Fact]
    public async Task Propagation_Disabled_HeadersPassAsTheyAre()
    {
        await using var origin = await HeadersAsync();
        await using var mesh = await MeshAsync(origin.Port, 1, t => t.DisableContextPropagation = true);
        Assert.Equal($"00-{Trace}-{Parent}-01", (await mesh.TextAsync("/", ("traceparent", $"00-{Trace}-{Parent}-01"))).Split('\n')[0]);
        Assert.Equal(string.Empty, (await mesh.TextAsync("/")).Split('\n')[0]);
    }

    [Theory]
    [InlineData("traceparent", "00-zz-00f067aa0ba902b7-01")]
    [InlineData("b3", "1")]
    [InlineData("b3", "00000000000000000000000000000000-00f067aa0ba902b7-1")]
    [InlineData("x-b3-traceid", "4BF92F3577B34DA6A3CE929D0E0E4736")]
    public void Read_Malformed_IsNoContext(string name, string value) =>
        Assert.Null(TraceHeaders.Read(new HeaderDictionary { [name] = value, ["x-b3-spanid"] = Parent }));
}

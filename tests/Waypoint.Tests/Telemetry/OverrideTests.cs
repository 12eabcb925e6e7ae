using System.Text;
using System.Text.Json.Nodes;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;
using Mesh.Waypoint.Telemetry;
using Mesh.Waypoint.Telemetry.Overrides;
using Mesh.Waypoint.Tests.Harness;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Tests.Telemetry;

/// <summary>What Telemetry resources change of access lines and metrics, with real requests.</summary>
public sealed class OverrideTests : IAsyncLifetime
{
    private Origin _origin = null!;
    private OneService _mesh = null!;

    public async Task InitializeAsync()
    {
        _origin = await Origin.StartAsync(http =>
        {
            http.Response.StatusCode = http.Request.Path == "/bad" ? 500 : 200;
            return http.Response.WriteAsync("four");
        });
        _mesh = await OneService.StartAsync([_origin.Port], OneService.Route());
    }

    public async Task DisposeAsync()
    {
        await _mesh.DisposeAsync();
        await _origin.DisposeAsync();
    }

    [Fact]
    public async Task AccessLog_Text_IsTheLineAsWritten()
    {
        var lines = await LinesAsync(
            new V1.AccessLog { Text = "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_SENT% \"%REQ(X-LONG):3%\" %REQ(NONE)% %UPSTREAM_HOST% %UPSTREAM_CLUSTER_RAW% %ROUTE_NAME% %REQUESTED_SERVER_NAME% 100%%\n" },
            ("/a?b=c", [("x-long", "abcdef")]));
        Assert.Equal($"GET /a?b=c HTTP/1.1 200 - via_upstream 4 \"abc\" - 127.0.0.1:{_origin.Port} {OneService.ClusterName} r - 100%", Assert.Single(lines));
    }

    [Fact]
    public async Task AccessLog_Fields_AreAJsonObjectWithTypes()
    {
        var log = new V1.AccessLog();
        foreach (var (name, format) in ((string, string)[])[("code", "%RESPONSE_CODE%"), ("path", "%REQ(:PATH)%"), ("agent", "%REQ(USER-AGENT)%"), ("both", "%PROTOCOL% %RESPONSE_CODE%"), ("start", "%START_TIME%")])
            log.Fields.Add(new V1.AccessLog.Types.LogField { Name = name, Format = format });
        var line = JsonNode.Parse(Assert.Single(await LinesAsync(log, ("/q\"uote", []))))!;
        Assert.Equal(200, (int)line["code"]!);
        Assert.Equal("/q%22uote", (string?)line["path"]);
        Assert.Null(line["agent"]);
        Assert.Equal("HTTP/1.1 200", (string?)line["both"]);
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", (string?)line["start"]);
    }

    [Fact]
    public async Task AccessLog_OmittingEmptyValues_HasNeitherDashNorField()
    {
        var text = Assert.Single(await LinesAsync(new V1.AccessLog { Text = "[%REQ(NONE)%]%RESPONSE_CODE%[%REQUESTED_SERVER_NAME%]", OmitEmpty = true }, ("/", [])));
        Assert.Equal("[]200[]", text);
        var log = new V1.AccessLog { OmitEmpty = true };
        foreach (var (name, format) in ((string, string)[])[("code", "%RESPONSE_CODE%"), ("agent", "%REQ(USER-AGENT)%"), ("both", "%REQ(NONE)%/%RESPONSE_CODE%")])
            log.Fields.Add(new V1.AccessLog.Types.LogField { Name = name, Format = format });
        Assert.Equal("""{"code":200,"both":"/200"}""", Assert.Single(await LinesAsync(log, ("/", []))));
    }

    [Theory]
    [InlineData("response.code >= 400", 1)]
    [InlineData("request.url_path == '/good' && connection.mtls", 1)]
    [InlineData("request.headers['x-debug'] == 'on'", 1)]
    [InlineData("xds.route_name == 'r' && destination.port == 80 && response.size == 4", 3)]
    [InlineData("response.grpc_status == 0", 0)]
    public async Task AccessLog_Filter_ChoosesLines(string filter, int expected)
    {
        var lines = await LinesAsync(new V1.AccessLog { Filter = filter }, ("/good", []), ("/bad", []), ("/other", [("x-debug", "on")]));
        Assert.Equal(expected, lines.Count);
        Assert.All(lines, l => Assert.Contains("request complete", l, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("response.kode == 1", "", "response.kode")]
    [InlineData("response.code", "", "no condition")]
    [InlineData("", "%NOPE%", "%NOPE%")]
    public void AccessLog_ThatCannotBeRead_IsRefused(string filter, string text, string reason)
    {
        var refused = _mesh.Waypoint.Configuration.ApplyServices([("shop/x", new V1.Service { Name = "x", Telemetry = new V1.Telemetry { AccessLog = new V1.AccessLog { Filter = filter, Text = text } } })], []);
        Assert.Contains(reason, Assert.Single(refused).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Metrics_TagsAreAddedReplacedAndRemoved_AndAFamilySwitchedOff()
    {
        var page = await PageAsync(
            [
                Override("istio_requests", tags: [("team", "has(request.headers['x-team']) ? request.headers['x-team'] : 'none'"), ("response_code", "response.code >= 500 ? '5xx' : 'fine'"), ("source_principal", null), ("quoted", "request.headers['x-quote']")]),
                Override("istio_request_bytes", disabled: true),
            ],
            ("/good", [("x-team", "red"), ("x-quote", "a\"b")]), ("/bad", []));
        var lines = page.Split('\n').Where(l => l.StartsWith("istio_requests_total{", StringComparison.Ordinal)).ToList();
        Assert.Equal(2, lines.Count);
        var red = Assert.Single(lines, l => l.Contains("team=\"red\"", StringComparison.Ordinal));
        Assert.Contains("response_code=\"fine\"", red, StringComparison.Ordinal);
        Assert.Contains("quoted=\"a\\\"b\"", red, StringComparison.Ordinal);
        Assert.DoesNotContain("source_principal", red, StringComparison.Ordinal);
        Assert.Contains("destination_service=\"orders.shop.svc.cluster.local\"", red, StringComparison.Ordinal);
        var none = Assert.Single(lines, l => l.Contains("team=\"none\"", StringComparison.Ordinal));
        Assert.Contains("response_code=\"5xx\"", none, StringComparison.Ordinal);
        Assert.Contains("quoted=\"unknown\"", none, StringComparison.Ordinal);
        Assert.DoesNotContain("istio_request_bytes_count", page, StringComparison.Ordinal);

        // What nobody overrides is as it was.
        Assert.Contains("istio_response_bytes_count{reporter=\"waypoint\"", page, StringComparison.Ordinal);
        Assert.Contains("source_principal=", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Metrics_ValuesThatClientsChoose_AreBounded()
    {
        var family = new MetricRegistry().Counter("f", "h", ["a"]);
        var rules = new MetricRules([Override("f", tags: [("v", "request.host")])]);
        var known = new System.Collections.Concurrent.ConcurrentDictionary<LabelSet, bool>();
        for (var i = 0; i < AdjustedLabels.Most + 50; i++)
            new AdjustedLabels(rules, ["a"], ["x"], new Host($"h{i}"), known).Of(family)!.Increment();
        Assert.Equal(AdjustedLabels.Most, known.Count);
        Assert.Equal(50, family.With(LabelSet.Of(("a", "x"), ("v", "overflow"))).Value);
        new AdjustedLabels(rules, ["a"], ["x"], new Host("h3"), known).Of(family)!.Increment();
        Assert.Equal(2, family.With(LabelSet.Of(("a", "x"), ("v", "h3"))).Value);
    }

    private static V1.MetricOverride Override(string family, bool disabled = false, (string Name, string? Value)[]? tags = null)
    {
        var made = new V1.MetricOverride { Family = family, Disabled = disabled };
        foreach (var (name, value) in tags ?? [])
            made.Tags.Add(new V1.MetricOverride.Types.Tag { Name = name, Value = value ?? string.Empty, Remove = value is null });
        return made;
    }

    private async Task<IReadOnlyList<string>> LinesAsync(V1.AccessLog rule, params (string Path, (string Name, string Value)[] Headers)[] requests)
    {
        _mesh.ChangeService(s => s.Telemetry = new V1.Telemetry { AccessLog = rule });
        Assert.True(LogFilter.TryParse("info", out var filter, out _));
        using var stream = new MemoryStream();
        using (var sink = new LogSink(stream, LogFormat.Text, filter!, TimeProvider.System))
        {
            var log = new AccessLog(sink);
            _mesh.Waypoint.OnReport = exchange => log.Write(exchange, TimeSpan.FromMilliseconds(7));
            await SendAsync(requests);
            sink.Flush();
        }

        return Encoding.UTF8.GetString(stream.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private async Task<string> PageAsync(V1.MetricOverride[] overrides, params (string Path, (string Name, string Value)[] Headers)[] requests)
    {
        _mesh.ChangeService(s => s.Telemetry = new V1.Telemetry { Metrics = { overrides } });
        var registry = new MetricRegistry();
        var metrics = new WaypointMetrics(registry, _mesh.Waypoint.Configuration.Clusters);
        _mesh.Waypoint.OnReport = exchange => metrics.Record(exchange, TimeSpan.FromMilliseconds(7));
        await SendAsync(requests);
        return Encoding.UTF8.GetString(registry.Render().Span);
    }

    private async Task SendAsync((string Path, (string Name, string Value)[] Headers)[] requests)
    {
        foreach (var (path, headers) in requests)
        {
            await _mesh.TextAsync(path, headers);
            await _mesh.Waypoint.NextReportAsync();
        }
    }

    private sealed class Host(string name) : Mesh.Model.Expressions.IAttributeSource
    {
        public Mesh.Model.Expressions.ExpressionValue Get(string attribute, string? key) => Mesh.Model.Expressions.ExpressionValue.Of(name);
    }
}

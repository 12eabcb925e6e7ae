using System.Globalization;
using System.Text.RegularExpressions;

using Mesh.Meshctl.Topology;

namespace Mesh.Meshctl.Demo.Steps;

/// <summary>11: rate, errors, latency and saturation from the Prometheus pages, and one trace across both node agents and the waypoint.</summary>
internal sealed partial class GoldenSignals : IDemoStep
{
    private const int Requests = 500;

    public int Number => 11;

    public string Title => "golden signals from the Prometheus pages, one trace across both ztunnels and the waypoint";

    public async Task<StepResult> RunAsync(DemoStage stage, CancellationToken cancel)
    {
        var mesh = stage.Mesh;
        var status = await mesh.StatusAsync(cancel);
        var waypoint = $"http://{status.Pods.Find(p => p.Name == "payment-waypoint")?.Address}:15020/metrics";

        var before = await PageAsync(mesh, 1, waypoint, cancel);
        var started = mesh.Time.GetTimestamp();
        await stage.RequestAsync("order-service", "http://payment/", Requests, cancel);
        var seconds = mesh.Time.GetElapsedTime(started).TotalSeconds;
        var after = await PageAsync(mesh, 1, waypoint, cancel);

        var requests = after.Sum("istio_requests_total") - before.Sum("istio_requests_total");
        var errorsBefore = before.Sum("istio_requests_total", IsError);
        var errors = after.Sum("istio_requests_total", IsError);
        var p50 = MetricsPage.Quantile(before, after, "istio_request_duration_milliseconds", 0.5);
        var p99 = MetricsPage.Quantile(before, after, "istio_request_duration_milliseconds", 0.99);
        List<string> evidence =
        [
            string.Create(CultureInfo.InvariantCulture, $"rate: {requests / seconds:0} requests/s (istio_requests_total of the waypoint: +{requests:0} for {Requests} sent)"),
            string.Create(CultureInfo.InvariantCulture, $"errors: {errors - errorsBefore:0} now, {errors:0} in all (step 6 broke an instance on purpose)"),
            string.Create(CultureInfo.InvariantCulture, $"latency: p50 <= {p50} ms, p99 <= {p99} ms (istio_request_duration_milliseconds)"),
        ];

        var saturated = true;
        for (var node = 1; node <= 2; node++)
        {
            var page = await PageAsync(mesh, node, $"http://{AddressPlan.Node(node)}:15020/metrics", cancel);
            var descriptors = page.Sum("process_open_fds");
            saturated &= descriptors > 0 && page.Sum("istio_tcp_connections_opened_total") > 0;
            evidence.Add(string.Create(CultureInfo.InvariantCulture,
                $"saturation of ztunnel-node-{node}: {page.Sum("istio_tcp_sockets_open"):0} connections open, {descriptors:0} of {page.Sum("process_max_fds"):0} descriptors; {page.Sum("istio_tcp_connections_opened_total"):0} connections so far, {page.Sum("istio_tcp_connections_failed_total"):0} failed"));
        }

        var trace = await FindTraceAsync(stage, cancel);
        evidence.AddRange(trace ?? ["no trace id is in the logs of ztunnel-node-1, the waypoint and ztunnel-node-2"]);
        var passed = requests >= Requests && errors >= 5 && errors == errorsBefore && !double.IsNaN(p99) && saturated && trace is not null;
        return new StepResult(passed, string.Create(CultureInfo.InvariantCulture, $"{requests / seconds:0} requests/s, p99 <= {p99} ms"), evidence);
    }

    private static bool IsError(MetricSample sample) => sample.Label("response_code") is { Length: 3 } code && code[0] == '5';

    private static async Task<List<MetricSample>> PageAsync(DemoMesh mesh, int node, string url, CancellationToken cancel)
    {
        var page = await mesh.OnNodeAsync(node, ["curl", "-s", "-f", "-m", "5", url], cancel);
        return page.Ok ? MetricsPage.Parse(page.Output) : [];
    }

    /// <summary>The newest trace id that all three hops logged.</summary>
    private static async Task<List<string>?> FindTraceAsync(DemoStage stage, CancellationToken cancel)
    {
        List<string>? found = null;
        await stage.Mesh.UntilAsync(
            () =>
            {
                var hops = ((string[])["ztunnel-node-1", "waypoint-default-payment-waypoint", "ztunnel-node-2"])
                    .Select(c => (Component: c, Lines: ByTrace(stage.Mesh.LogOf(c), c == "ztunnel-node-2" ? "inbound" : string.Empty))).ToList();
                var trace = hops[0].Lines.Keys.LastOrDefault(id => hops.TrueForAll(h => h.Lines.ContainsKey(id)));
                if (trace is not null)
                    found = [$"trace {trace}:", .. hops.Select(h => $"  {h.Component}: {h.Lines[trace]}")];
                return Task.FromResult(found is not null);
            },
            TimeSpan.FromSeconds(3), cancel);
        return found;
    }

    private static Dictionary<string, string> ByTrace(string log, string holding)
    {
        var lines = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in log.Split('\n'))
        {
            if (line.Contains(holding, StringComparison.Ordinal) && TraceId().Match(line) is { Success: true } match)
                lines[match.Groups[1].Value] = line;
        }

        return lines;
    }

    [GeneratedRegex("trace_id\"?[=:]\"?([0-9a-f]{32})")]
    private static partial Regex TraceId();
}

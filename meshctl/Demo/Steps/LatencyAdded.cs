using System.Globalization;

namespace Mesh.Meshctl.Demo.Steps;

/// <summary>10: what the mesh adds to one request after another on one connection, as curl measures it (time_total).</summary>
internal sealed class LatencyAdded : IDemoStep
{
    private const int Requests = 2000;
    private const int WarmUp = 300;

    public int Number => 10;

    public string Title => "latency with and without the mesh, with and without the waypoint";

    public async Task<StepResult> RunAsync(DemoStage stage, CancellationToken cancel)
    {
        var status = await stage.Mesh.StatusAsync(cancel);
        var legacy = status.Pods.Find(p => p.Name == "legacy")?.Address;
        var plain = await MeasureAsync(stage, "outsider", $"http://{legacy}:{NginxServer.Port}/", cancel);
        var mesh = await MeasureAsync(stage, "order-service", "http://catalog/", cancel);
        var waypoint = await MeasureAsync(stage, "order-service", "http://payment/", cancel);
        var complete = plain.Ok && mesh.Ok && waypoint.Ok;
        return StepResult.Of(
            complete,
            string.Create(CultureInfo.InvariantCulture, $"added: {mesh.P50 - plain.P50:0} us (p50) by the tunnels, {waypoint.P50 - mesh.P50:0} us more by the waypoint"),
            Line("without the mesh", plain, null),
            Line("through both ztunnels", mesh, plain),
            Line("and the waypoint", waypoint, plain),
            string.Create(CultureInfo.InvariantCulture, $"curl, {Requests} requests one after another on one connection, the first {WarmUp} not counted"));
    }

    private static string Line(string what, Sample sample, Sample? without) => string.Create(CultureInfo.InvariantCulture,
        $"{what,-22} p50 {sample.P50,6:0} us   p99 {sample.P99,6:0} us{(without is { } w ? string.Create(CultureInfo.InvariantCulture, $"   added: p50 {sample.P50 - w.P50:0} us, p99 {sample.P99 - w.P99:0} us") : string.Empty)}");

    private static async Task<Sample> MeasureAsync(DemoStage stage, string pod, string url, CancellationToken cancel)
    {
        var results = await stage.RequestAsync(pod, url, Requests, cancel);
        var times = results.Skip(WarmUp).Select(r => r.Seconds * 1e6).ToList();
        return new Sample(results.Count == Requests && results.TrueForAll(r => r.Status == 200), Statistics.Percentile(times, 0.5), Statistics.Percentile(times, 0.99));
    }

    private readonly record struct Sample(bool Ok, double P50, double P99);
}

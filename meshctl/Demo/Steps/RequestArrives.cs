namespace Mesh.Meshctl.Demo.Steps;

/// <summary>1: an unmodified curl reaches an unmodified nginx, and the log of the node agents names who spoke to whom.</summary>
internal sealed class RequestArrives : IDemoStep
{
    public const string OrderService = "spiffe://cluster.local/ns/default/sa/order-service";
    public const string Payment = "spiffe://cluster.local/ns/default/sa/payment";

    public int Number => 1;

    public string Title => "a request from order-service to payment arrives, with both identities in the access log";

    public async Task<StepResult> RunAsync(DemoStage stage, CancellationToken cancel)
    {
        var results = await stage.RequestAsync("order-service", "http://payment/secret", 1, cancel, "-H", $"x-marker: {stage.RequestMarker}");
        var arrived = results is [{ Status: 200 } only] && only.Body.Contains(stage.ResponseMarker, StringComparison.Ordinal);
        var seen = stage.Servers.Values.SelectMany(s => s.AccessLog).FirstOrDefault(l => l.Contains(stage.RequestMarker, StringComparison.Ordinal));
        var line = await stage.Mesh.LogLineAsync(
            "ztunnel-node-2",
            l => l.Contains("\taccess\t", StringComparison.Ordinal) && l.Contains(OrderService, StringComparison.Ordinal) && l.Contains(Payment, StringComparison.Ordinal),
            TimeSpan.FromSeconds(5), cancel);
        return StepResult.Of(
            arrived && seen is not null && line is not null,
            arrived ? "200 from " + results[0].Body.Split(' ')[0] : "no answer",
            $"curl: {(results is [var r] ? $"{r.Status} {r.Body}" : "nothing")}",
            $"nginx: {seen ?? "has not seen the request"}",
            $"ztunnel-node-2: {line ?? "has no line with both identities"}");
    }
}

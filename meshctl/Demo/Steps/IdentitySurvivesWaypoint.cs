namespace Mesh.Meshctl.Demo.Steps;

/// <summary>7: canary (needs the waypoint) and AuthorizationPolicy (selects the workload) hold together, because the waypoint states whose request it carries.</summary>
internal sealed class IdentitySurvivesWaypoint : IDemoStep
{
    private const string Waypoint = "sa/payment-waypoint";

    public int Number => 7;

    public string Title => "the caller's identity survives the waypoint and is what payment's ztunnel authorizes";

    public async Task<StepResult> RunAsync(DemoStage stage, CancellationToken cancel)
    {
        var allowed = await stage.RequestAsync("order-service", "http://payment/", 1, cancel);
        var refused = await stage.RequestAsync("stranger", "http://payment/", 1, cancel);
        var line = await stage.Mesh.LogLineAsync(
            "ztunnel-node-2",
            l => l.Contains(Waypoint, StringComparison.Ordinal) && l.Contains(RequestArrives.OrderService, StringComparison.Ordinal) && l.Contains("inbound", StringComparison.Ordinal),
            TimeSpan.FromSeconds(5), cancel);
        var both = allowed is [{ Status: 200 }] && refused.TrueForAll(r => r.Status != 200);
        return StepResult.Of(
            both && line is not null,
            both ? "order-service allowed, stranger refused, both through the waypoint" : "the two documents do not hold together",
            $"order-service: {allowed.FirstOrDefault().Status}, stranger: {refused.FirstOrDefault().Status}",
            $"ztunnel-node-2: {line ?? "has no line with the waypoint as peer and order-service as client"}");
    }
}

namespace Mesh.Meshctl.Demo.Steps;

/// <summary>3: an identity that the policy does not name is refused, with the policy's name, and nginx never hears of it.</summary>
internal sealed class StrangerIsRefused : IDemoStep
{
    private const string Marker = "the-stranger-was-here";

    public int Number => 3;

    public string Title => "the stranger is refused by the AuthorizationPolicy; nothing reaches nginx";

    public async Task<StepResult> RunAsync(DemoStage stage, CancellationToken cancel)
    {
        var results = await stage.RequestAsync("stranger", "http://payment/", 1, cancel, "-H", $"x-marker: {Marker}");
        var refused = results.TrueForAll(r => r.Status is 0 or 403 or 503);
        var reached = stage.Servers.Values.Sum(s => s.AccessLog.Count(l => l.Contains(Marker, StringComparison.Ordinal)));
        var line = await stage.Mesh.LogLineAsync(
            "ztunnel-node-2",
            l => l.Contains("payment-policy", StringComparison.Ordinal) && l.Contains("sa/stranger", StringComparison.Ordinal),
            TimeSpan.FromSeconds(5), cancel);
        return StepResult.Of(
            refused && reached == 0 && line is not null,
            refused ? "refused" : "let through",
            $"curl: {(results is [var r] ? $"{r.Status} {r.Body}" : "no answer")}",
            $"nginx: {reached} requests of the stranger",
            $"ztunnel-node-2: {line ?? "has no line that names payment-policy and the stranger"}");
    }
}

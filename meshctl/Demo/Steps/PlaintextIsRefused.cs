namespace Mesh.Meshctl.Demo.Steps;

/// <summary>4: STRICT refuses a program outside the mesh; a pod that did not opt in is reached as before.</summary>
internal sealed class PlaintextIsRefused : IDemoStep
{
    private const string Marker = "plain-from-outside";

    public int Number => 4;

    public string Title => "plaintext from outside is refused (STRICT); pods that did not opt in are reached as before";

    public async Task<StepResult> RunAsync(DemoStage stage, CancellationToken cancel)
    {
        var status = await stage.Mesh.StatusAsync(cancel);
        string Address(string pod) => status.Pods.Find(p => p.Name == pod)?.Address ?? throw new InvalidOperationException($"{pod} is not there");

        var toPayment = await stage.RequestAsync("outsider", $"http://{Address("payment-v1-a")}:{NginxServer.Port}/", 1, cancel, "-H", $"x-marker: {Marker}");
        var reason = await stage.Mesh.LogLineAsync(
            "ztunnel-node-2", l => l.Contains(Address("outsider"), StringComparison.Ordinal) && l.Contains("error=", StringComparison.Ordinal), TimeSpan.FromSeconds(5), cancel);
        var reached = stage.Servers.Values.Sum(s => s.AccessLog.Count(l => l.Contains(Marker, StringComparison.Ordinal)));
        var toLegacy = await stage.RequestAsync("outsider", $"http://{Address("legacy")}:{NginxServer.Port}/", 1, cancel);
        var fromMesh = await stage.RequestAsync("order-service", $"http://{Address("legacy")}:{NginxServer.Port}/", 1, cancel);
        var refused = toPayment.TrueForAll(r => r.Status == 0) && reached == 0;
        var open = toLegacy is [{ Status: 200 }] && fromMesh is [{ Status: 200 }];
        return StepResult.Of(
            refused && reason is not null && open,
            $"{(refused ? "refused" : "let through")}; legacy {(open ? "reached" : "not reached")}",
            $"outsider -> payment-v1-a: {(refused ? "connection refused by the mesh" : $"answered {toPayment.FirstOrDefault().Status}")}, nginx saw {reached} requests",
            $"ztunnel-node-2: {reason ?? "has no line about it"}",
            $"outsider -> legacy: {toLegacy.FirstOrDefault().Status} {toLegacy.FirstOrDefault().Body}",
            $"order-service -> legacy: {fromMesh.FirstOrDefault().Status} {fromMesh.FirstOrDefault().Body}");
    }
}

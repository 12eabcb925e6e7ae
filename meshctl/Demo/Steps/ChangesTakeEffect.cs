using System.Globalization;

namespace Mesh.Meshctl.Demo.Steps;

/// <summary>9: pods and policies come and go without a restart, and an open connection that a new policy forbids is cut.</summary>
internal sealed class ChangesTakeEffect : IDemoStep
{
    private const string Deny =
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata:
          name: maintenance
        spec:
          selector:
            matchLabels:
              app: catalog
          action: DENY
          rules:
            - from:
                - source:
                    principals: ["cluster.local/ns/default/sa/order-service"]
        """;

    public int Number => 9;

    public string Title => "pods and policies come and go without restart; a new policy cuts open connections";

    public async Task<StepResult> RunAsync(DemoStage stage, CancellationToken cancel)
    {
        var mesh = stage.Mesh;
        List<string> evidence = [];

        await mesh.RunAsync(DemoSetup.Payment(stage, "payment-v2-b", "v2"), cancel);
        var added = await mesh.UntilAsync(
            async () => (await stage.RequestAsync("order-service", "http://payment/", 100, cancel)).Exists(r => r.Body == "payment-v2-b"), TimeSpan.FromSeconds(15), cancel);
        await mesh.DeleteAsync("payment-v2-b", cancel);
        var afterwards = await stage.RequestAsync("order-service", "http://payment/", 200, cancel);
        var removed = afterwards.TrueForAll(r => r.Status == 200 && r.Body != "payment-v2-b");
        evidence.Add($"payment-v2-b added: {(added ? "serves" : "never served")}; removed: {afterwards.Count(r => r.Status == 200)} of {afterwards.Count} requests answered by the others");

        var open = mesh.ExecAsync("order-service", ["curl", "-s", "-o", "/dev/null", "-m", "60", "-w", "%{exitcode} %{size_download}", "http://catalog/slow.bin"], cancel);
        var flowing = await mesh.LogLineAsync("ztunnel-node-2", l => l.Contains("connection opened", StringComparison.Ordinal) && l.Contains("catalog", StringComparison.Ordinal), TimeSpan.FromSeconds(5), cancel) is not null;
        var applied = mesh.Time.GetTimestamp();
        await mesh.ApplyAsync("maintenance.yaml", Deny, cancel);
        var cut = await Task.WhenAny(open, Task.Delay(TimeSpan.FromSeconds(15), mesh.Time, cancel)) == open;
        var took = mesh.Time.GetElapsedTime(applied);
        var refused = await stage.RequestAsync("order-service", "http://catalog/", 1, cancel);
        await mesh.DeleteDocumentAsync("AuthorizationPolicy/maintenance", cancel);
        var again = await mesh.UntilAsync(async () => await stage.RequestAsync("order-service", "http://catalog/", 1, cancel) is [{ Status: 200 }], TimeSpan.FromSeconds(10), cancel);
        var ended = cut ? (await open).Output : string.Empty;
        evidence.Add(cut
            ? string.Create(CultureInfo.InvariantCulture, $"open download (curl: exit code and bytes {ended}) cut {took.TotalMilliseconds:0} ms after the DENY policy was applied")
            : "the open download was not cut");
        evidence.Add($"new request under the policy: {(refused.TrueForAll(r => r.Status != 200) ? "refused" : "LET THROUGH")}; after deleting the policy: {(again ? "200" : "still refused")}");

        var status = await mesh.StatusAsync(cancel);
        var restarts = status.Components.Sum(c => c.Restarts);
        evidence.Add($"restarts of any proxy or of the control plane: {restarts}");
        var passed = added && removed && flowing && cut && refused.TrueForAll(r => r.Status != 200) && again && restarts == 0;
        return new StepResult(passed, passed ? string.Create(CultureInfo.InvariantCulture, $"cut after {took.TotalMilliseconds:0} ms") : "not everything took effect", evidence);
    }
}

using System.Globalization;

namespace Mesh.Meshctl.Demo.Steps;

/// <summary>8: certificates are renewed while requests run, and none fails.</summary>
internal sealed class CertificatesRotate : IDemoStep
{
    public int Number => 8;

    public string Title => "certificates rotate under traffic with no failed request";

    public async Task<StepResult> RunAsync(DemoStage stage, CancellationToken cancel)
    {
        var before = await SerialsAsync(stage, cancel);
        var stop = Path.Combine(stage.Mesh.Folder, "stop-8");
        var load = stage.Mesh.ExecAsync("order-service", CurlRun.Until(stop, "http://payment/"), cancel);
        var after = before;
        var rotated = await stage.Mesh.UntilAsync(
            async () =>
            {
                after = await SerialsAsync(stage, cancel);
                return before.Count > 0 && before.All(b => after.TryGetValue(b.Key, out var serial) && serial != b.Value);
            },
            TimeSpan.FromSeconds(45), cancel);
        await File.WriteAllTextAsync(stop, string.Empty, cancel);
        var requests = CurlRun.Parse((await load).Output);
        var failed = requests.Count(r => r.Status != 200);
        var evidence = before.Select(b => $"{b.Key}: serial {Short(b.Value)} -> {(after.TryGetValue(b.Key, out var serial) ? Short(serial) : "gone")}").ToList();
        evidence.Add(string.Create(CultureInfo.InvariantCulture, $"{requests.Count} requests meanwhile, {failed} failed"));
        return new StepResult(rotated && failed == 0 && requests.Count > 0, $"{before.Count} certificates renewed, {failed} of {requests.Count} requests failed", evidence);
    }

    private static string Short(string serial) => serial.Length > 8 ? "..." + serial[^8..] : serial;

    private static async Task<Dictionary<string, string>> SerialsAsync(DemoStage stage, CancellationToken cancel)
    {
        var status = await stage.Mesh.StatusAsync(cancel);
        return status.Certificates
            .Where(c => c.SerialNumber is not null && (c.Identity.EndsWith("/sa/order-service", StringComparison.Ordinal) || c.Identity.EndsWith("/sa/payment", StringComparison.Ordinal)))
            .ToDictionary(c => $"{c.Proxy} {c.Identity[(c.Identity.LastIndexOf('/') + 1)..]}", c => c.SerialNumber!, StringComparer.Ordinal);
    }
}

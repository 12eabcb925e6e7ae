using System.Globalization;

namespace Mesh.Meshctl.Demo.Steps;

/// <summary>6: five errors in a row eject an instance; a killed one is hidden by retries. Whether the ejected one comes back is checked at the end.</summary>
internal sealed class BrokenInstanceIsEjected : IDemoStep
{
    private const int Threshold = 5;

    public int Number => 6;

    public string Title => "five errors in a row eject an instance; a killed instance is hidden by retries";

    public async Task<StepResult> RunAsync(DemoStage stage, CancellationToken cancel)
    {
        var mesh = stage.Mesh;
        await File.WriteAllTextAsync(stage.Servers["payment-v1-a"].FailFlag, string.Empty, cancel);
        var during = await stage.RequestAsync("order-service", "http://payment/", 200, cancel);
        stage.EjectedAt = mesh.Time.GetTimestamp();
        var after = await stage.RequestAsync("order-service", "http://payment/", 300, cancel);
        var errors = during.Count(r => r.Status != 200);
        var later = after.Count(r => r.Status != 200);
        var ejected = errors == Threshold && later == 0;

        // Another v1 takes over before one is killed: the ejected one must not be needed.
        await mesh.RunAsync(DemoSetup.Payment(stage, "payment-v1-c", "v1"), cancel);
        var takesOver = await mesh.UntilAsync(
            async () => (await stage.RequestAsync("order-service", "http://payment/", 20, cancel)).Exists(r => r.Body == "payment-v1-c"), TimeSpan.FromSeconds(10), cancel);
        var stop = Path.Combine(mesh.Folder, "stop-6");
        var load = mesh.ExecAsync("order-service", CurlRun.Until(stop, "http://payment/"), cancel);
        var hits = stage.Servers["payment-v1-b"].AccessLog.Count;
        await mesh.UntilAsync(() => Task.FromResult(stage.Servers["payment-v1-b"].AccessLog.Count > hits + 50), TimeSpan.FromSeconds(20), cancel);
        await mesh.ExecAsync("payment-v1-b", ["sh", "-c", "kill -s KILL \"$(cat \"$1\")\"", "kill", Path.Combine(stage.Servers["payment-v1-b"].Folder, "nginx.pid")], cancel);
        var replaced = stage.Servers["payment-v1-c"].AccessLog.Count;
        await mesh.UntilAsync(() => Task.FromResult(stage.Servers["payment-v1-c"].AccessLog.Count > replaced + 300), TimeSpan.FromSeconds(20), cancel);
        await File.WriteAllTextAsync(stop, string.Empty, cancel);
        var underLoad = CurlRun.Parse((await load).Output);
        var failed = underLoad.Count(r => r.Status != 200);
        return StepResult.Of(
            ejected && takesOver && failed == 0 && underLoad.Count > 300,
            string.Create(CultureInfo.InvariantCulture, $"{errors} errors, then none; {failed} of {underLoad.Count} failed when one was killed"),
            string.Create(CultureInfo.InvariantCulture, $"payment-v1-a answers 500: {errors} of 200 requests saw it (threshold {Threshold}), {later} of the next {after.Count}"),
            string.Create(CultureInfo.InvariantCulture, $"payment-v1-b killed with SIGKILL under load: {underLoad.Count} requests, {failed} failed ({string.Join(", ", underLoad.Where(r => r.Status != 200).Select(r => r.Status).Distinct())})"));
    }
}

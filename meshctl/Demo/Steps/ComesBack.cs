using System.Globalization;

namespace Mesh.Meshctl.Demo.Steps;

/// <summary>The end of 6: the ejected instance is healthy again and gets requests once its ejection time (60 s, looked at every 30 s) is over.</summary>
internal sealed class ComesBack : IDemoStep
{
    private static readonly TimeSpan Earliest = TimeSpan.FromSeconds(58);
    private static readonly TimeSpan Latest = TimeSpan.FromSeconds(105);

    public int Number => 6;

    public string Title => "the ejected instance comes back after its time";

    public async Task<StepResult> RunAsync(DemoStage stage, CancellationToken cancel)
    {
        var mesh = stage.Mesh;
        var server = stage.Servers["payment-v1-a"];
        File.Delete(server.FailFlag);
        var early = await ServedAsync(stage, server, cancel) && mesh.Time.GetElapsedTime(stage.EjectedAt) < Earliest;
        var back = await mesh.UntilAsync(() => ServedAsync(stage, server, cancel), Latest - mesh.Time.GetElapsedTime(stage.EjectedAt), cancel);
        var after = mesh.Time.GetElapsedTime(stage.EjectedAt);
        return StepResult.Of(
            back && !early,
            back ? string.Create(CultureInfo.InvariantCulture, $"back {after.TotalSeconds:0} s after the ejection") : "it did not come back",
            early ? "payment-v1-a got requests before its 60 s were over" : string.Create(CultureInfo.InvariantCulture, $"payment-v1-a answers again {after.TotalSeconds:0} s after it was ejected (baseEjectionTime 60s, interval 30s)"));
    }

    private static async Task<bool> ServedAsync(DemoStage stage, NginxServer server, CancellationToken cancel) =>
        (await stage.RequestAsync("order-service", "http://payment/", 20, cancel)).Exists(r => r.Status == 200 && r.Body == server.Name);
}

using System.Globalization;

namespace Mesh.Meshctl.Demo.Steps;

/// <summary>5: 2,000 requests on one connection are split 95/5, each for itself.</summary>
internal sealed class CanarySplits : IDemoStep
{
    private const int Requests = 2000;

    public int Number => 5;

    public string Title => "2,000 requests split 95/5 over v1 and v2";

    public async Task<StepResult> RunAsync(DemoStage stage, CancellationToken cancel)
    {
        var results = await stage.RequestAsync("order-service", "http://payment/", Requests, cancel);
        var ok = results.Count(r => r.Status == 200);
        var v2 = results.Count(r => r.Body.StartsWith("payment-v2", StringComparison.Ordinal));
        var (low, high) = Statistics.BinomialBounds(Requests, 0.05, 0.001);
        var perServer = results.GroupBy(r => r.Body, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => $"{g.Key} {g.Count()}");
        return StepResult.Of(
            ok == Requests && v2 >= low && v2 <= high,
            string.Create(CultureInfo.InvariantCulture, $"v2 got {v2} of {Requests}"),
            string.Create(CultureInfo.InvariantCulture, $"answers: {string.Join(", ", perServer)}; {ok} of {Requests} with 200"),
            string.Create(CultureInfo.InvariantCulture, $"a fair 5 % gives {low} to {high} in 999 of 1000 cases"));
    }
}

using Mesh.Waypoint.Resilience;

namespace Mesh.Waypoint.Tests.Resilience;

/// <summary>Budgets of retries against a model that counts on its fingers. Seeds are fixed.</summary>
public sealed class RetryBudgetTests
{
    [Theory]
    [InlineData(1, null, 3u, 5u)]
    [InlineData(2, 20.0, 3u, 0u)]
    [InlineData(3, 50.0, 0u, 0u)]
    [InlineData(4, 0.0, 1u, 9u)]
    [InlineData(5, 33.3, 2u, 0u)]
    [InlineData(6, 100.0, 0u, 0u)]
    public void AnyHistory_RetriesUnderWay_AreWhatTheBudgetAllows(int seed, double? percent, uint minimum, uint maxRetries)
    {
        var limits = new ConnectionLimits { RetryBudgetPercent = percent, RetryBudgetMinimum = minimum, MaxRetries = maxRetries };
        var circuit = new CircuitState();
        var random = new Random(seed);
        var (requests, retries, refused, allowed) = (new List<int>(), new List<int>(), 0, 0);
        for (var step = 0; step < 5000; step++)
        {
            switch (random.Next(5))
            {
                case 0 or 1:
                    Assert.True(circuit.TryEnterRequest(limits));
                    requests.Add(step);
                    break;
                case 2 when requests.Count > 0:
                    circuit.LeaveRequest();
                    requests.RemoveAt(0);
                    break;
                case 3 when retries.Count > 0:
                    circuit.LeaveRetry();
                    retries.RemoveAt(0);
                    break;
                default:
                    var may = retries.Count < SlowLimit(requests.Count, percent, minimum, maxRetries);
                    Assert.True(may == circuit.TryEnterRetry(limits), $"step {step}: {requests.Count} requests, {retries.Count} retries, {percent} %, at least {minimum}");
                    if (may)
                        retries.Add(step);
                    allowed += may ? 1 : 0;
                    refused += may ? 0 : 1;
                    break;
            }

            Assert.Equal((requests.Count, retries.Count), (circuit.Requests, circuit.Retries));
        }

        Assert.True(allowed > 20, $"{allowed} allowed and {refused} refused retries test nothing");
    }

    // One retry more for every whole share of the requests.
    private static int SlowLimit(int requests, double? percent, uint minimum, uint maxRetries)
    {
        if (percent is not { } share)
            return (int)maxRetries;
        var limit = 0;
        while ((limit + 1) * 100 <= requests * share)
            limit++;
        return Math.Max(limit, (int)minimum);
    }
}

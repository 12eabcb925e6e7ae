using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Resilience;

namespace Mesh.Waypoint.Tests.Forwarding;

public sealed class DestinationRefusalTests
{
    [Fact]
    public void Refusal_ByTheDestinationsPolicy_IsForbiddenNotRetriedAndNoFaultOfTheEndpoint()
    {
        var failure = AttemptFailure.Classify(new HttpRequestException("no", new DialException(DialFailure.Denied, "http status: 401")), isSafeToRepeat: true);
        Assert.Equal(403, failure.Status);
        Assert.Null(failure.Result);
        Assert.False(RetryPolicy.Default.IsRetriable(new AttemptOutcome(failure.Ending)));
    }

    [Fact]
    public void Refusal_ForAnotherReason_StaysAFailureOfTheEndpoint()
    {
        var failure = AttemptFailure.Classify(new HttpRequestException("no", new DialException(DialFailure.TunnelRefused, "http status: 503")), isSafeToRepeat: true);
        Assert.Equal(503, failure.Status);
        Assert.NotNull(failure.Result);
        Assert.True(RetryPolicy.Default.IsRetriable(new AttemptOutcome(failure.Ending)));
    }
}

using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Resilience;

namespace Mesh.Waypoint.Tests.Resilience;

/// <summary>The decision table of reference 1.8, a line each.</summary>
public sealed class RetryPolicyTests
{
    private const string Default = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";

    [Theory]
    [InlineData(nameof(AttemptEnding.ConnectFailure), "connect-failure", true)]
    [InlineData(nameof(AttemptEnding.ConnectFailure), "gateway-error", true)]
    [InlineData(nameof(AttemptEnding.ConnectFailure), "5xx", true)]
    [InlineData(nameof(AttemptEnding.ConnectFailure), "reset", true)]
    [InlineData(nameof(AttemptEnding.ConnectFailure), "reset-before-request", true)]
    [InlineData(nameof(AttemptEnding.ConnectFailure), "refused-stream", false)]
    [InlineData(nameof(AttemptEnding.ConnectTimeout), Default, true)]
    [InlineData(nameof(AttemptEnding.RefusedStream), "refused-stream", true)]
    [InlineData(nameof(AttemptEnding.RefusedStream), Default, true)]
    [InlineData(nameof(AttemptEnding.RefusedStream), "connect-failure", false)]
    [InlineData(nameof(AttemptEnding.ConnectionTermination), Default, false)]
    [InlineData(nameof(AttemptEnding.ConnectionTermination), "reset", true)]
    [InlineData(nameof(AttemptEnding.ConnectionTermination), "5xx", true)]
    [InlineData(nameof(AttemptEnding.ConnectionTermination), "gateway-error", true)]
    [InlineData(nameof(AttemptEnding.ConnectionTermination), "connect-failure", false)]
    [InlineData(nameof(AttemptEnding.ConnectionTermination), "reset-before-request", false)]
    [InlineData(nameof(AttemptEnding.ConnectionTermination), "503", false)]
    [InlineData(nameof(AttemptEnding.RemoteReset), Default, false)]
    [InlineData(nameof(AttemptEnding.RemoteReset), "reset", true)]
    [InlineData(nameof(AttemptEnding.PerTryTimeout), Default, false)]
    [InlineData(nameof(AttemptEnding.PerTryTimeout), "504", false)]
    [InlineData(nameof(AttemptEnding.PerTryTimeout), "gateway-error", true)]
    [InlineData(nameof(AttemptEnding.PerTryTimeout), "reset", true)]
    [InlineData(nameof(AttemptEnding.Overflow), "5xx,reset,gateway-error,connect-failure", false)]
    public void IsRetriable_FailureWithoutResponse_FollowsTheTable(string ending, string retryOn, bool expected) =>
        Assert.Equal(expected, Policy(retryOn).IsRetriable(new AttemptOutcome(Enum.Parse<AttemptEnding>(ending))));

    [Theory]
    [InlineData(503, "5xx", true)]
    [InlineData(500, "gateway-error", false)]
    [InlineData(502, "gateway-error", true)]
    [InlineData(504, "gateway-error", true)]
    [InlineData(503, Default, false)]
    [InlineData(503, "503", true)]
    [InlineData(503, "retriable-status-codes", false)]
    [InlineData(429, "429,503", true)]
    [InlineData(409, "retriable-4xx", true)]
    [InlineData(404, "retriable-4xx", false)]
    [InlineData(404, "5xx", false)]
    [InlineData(503, "reset", false)]
    public void IsRetriable_Response_FollowsTheTable(int status, string retryOn, bool expected) =>
        Assert.Equal(expected, Policy(retryOn).IsRetriable(new AttemptOutcome(AttemptEnding.Response, status)));

    [Theory]
    [InlineData(14, Default, true)]
    [InlineData(1, Default, true)]
    [InlineData(13, Default, false)]
    [InlineData(13, "internal", true)]
    [InlineData(4, "deadline-exceeded", true)]
    [InlineData(8, "resource-exhausted", true)]
    [InlineData(0, Default, false)]
    public void IsRetriable_GrpcStatusInHeaders_FollowsTheTable(int grpc, string retryOn, bool expected) =>
        Assert.Equal(expected, Policy(retryOn).IsRetriable(new AttemptOutcome(AttemptEnding.Response, 200, grpc)));

    [Theory]
    [InlineData("5xx", false)]
    [InlineData("5xx,envoy-ratelimited", true)]
    public void IsRetriable_RateLimitedResponse_OnlyWhenAsked(string retryOn, bool expected) =>
        Assert.Equal(expected, Policy(retryOn).IsRetriable(new AttemptOutcome(AttemptEnding.Response, 503, IsRateLimited: true)));

    [Fact]
    public void IsRetriable_ResetBeforeAnythingWasSent_IsResetBeforeRequest() =>
        Assert.True(Policy("reset-before-request").IsRetriable(new AttemptOutcome(AttemptEnding.ConnectionTermination, RequestWasStarted: false)));

    [Fact]
    public void Compile_UnknownCondition_IsRefusedByName()
    {
        var e = Assert.Throws<ConfigurationException>(() => Policy("5xx,sometimes"));
        Assert.Contains("sometimes", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Backoff_RetryN_IsBelowItsCeilingAndTheMaximum()
    {
        var policy = Policy("5xx");
        var random = new Random(5);
        double[] ceilings = [25, 75, 175, 250, 250];
        for (var n = 1; n <= ceilings.Length; n++)
        {
            var pauses = Enumerable.Range(0, 2000).Select(_ => policy.Backoff(n, random).TotalMilliseconds).ToList();
            Assert.InRange(pauses.Max(), ceilings[n - 1] * 0.97, ceilings[n - 1]);
            Assert.InRange(pauses.Average(), ceilings[n - 1] * 0.45, ceilings[n - 1] * 0.55);
        }
    }

    [Theory]
    [InlineData(0, 3)]
    [InlineData(10, 3)]
    [InlineData(100, 20)]
    public void RetryBudget_ActiveRequests_AllowAShareButAlwaysAFew(int active, uint expected) =>
        Assert.Equal(expected, CircuitState.RetryLimit(new ConnectionLimits { RetryBudgetPercent = 20 }, active));

    [Fact]
    public void Circuit_AtTheLimit_RefusesTheNextAndRecovers()
    {
        var circuit = new CircuitState();
        var limits = new ConnectionLimits { MaxRequests = 1 };
        Assert.True(circuit.TryEnterRequest(limits));
        Assert.False(circuit.TryEnterRequest(limits));
        circuit.LeaveRequest();
        Assert.True(circuit.TryEnterRequest(limits));
    }

    [Fact]
    public void Classify_TunnelFailures_AreConnectFailures()
    {
        foreach (var failure in Enum.GetValues<DialFailure>().Where(f => f is not DialFailure.TimedOut))
        {
            var classified = AttemptFailure.Classify(new HttpRequestException("x", new DialException(failure, "no")), isSafeToRepeat: false);
            Assert.Equal(AttemptEnding.ConnectFailure, classified.Ending);
            Assert.Equal(ResponseFlags.UpstreamConnectionFailure, classified.Flag);
            Assert.Equal(EndpointResult.ConnectionFailed, classified.Result);
        }
    }

    [Theory]
    [InlineData(true, true, nameof(AttemptEnding.ConnectFailure))]
    [InlineData(true, false, nameof(AttemptEnding.ConnectionTermination))]
    [InlineData(false, true, nameof(AttemptEnding.ConnectionTermination))]
    public void Classify_EndBeforeTheResponse_IsSafeToRepeatOnlyThroughATunnelForIdempotentRequests(bool tunnel, bool idempotent, string expected)
    {
        var error = new HttpRequestException("x", new UpstreamEndedException(tunnel, null));
        Assert.Equal(Enum.Parse<AttemptEnding>(expected), AttemptFailure.Classify(error, idempotent).Ending);
    }

    private static RetryPolicy Policy(string retryOn) => RetryPolicy.Compile(new V1.RetryPolicy { Attempts = 2, RetryOn = { retryOn } });
}

using Mesh.Identity.Certificates;
using Mesh.Identity.Fetching;
using Mesh.Model;
using Mesh.Testing;

namespace Mesh.Identity.Tests.Fetching;

public sealed class CertificateCacheTests : IDisposable
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly SpiffeId A = Id("a");
    private readonly ManualTimeProvider _time = new();
    private readonly ScriptedSource _source = new();
    private readonly TestCertificateAuthority _ca;
    private readonly CertificateCache _cache;

    public CertificateCacheTests()
    {
        _ca = new(_time);
        _cache = Make(new());
    }

    public void Dispose()
    {
        _cache.Dispose();
        _ca.Dispose();
    }

    [Fact]
    public async Task Callers_OfOneIdentity_ShareOneFetch_AndLaterOnesAreServedAtOnce()
    {
        var first = _cache.GetAsync(A, CertificatePriority.RealTime);
        var second = _cache.GetAsync(A, CertificatePriority.Warmup);
        var call = await _source.NextAsync();
        Assert.False(first.IsCompleted);
        Assert.Equal(CertificateState.Initializing, Assert.Single(_cache.Statuses).State);

        call.Succeed(_ca.Issue(A));

        Assert.Same((await first).Certificate, (await second).Certificate);
        var third = _cache.GetAsync(A, CertificatePriority.RealTime);
        Assert.True(third.IsCompletedSuccessfully);
        Assert.True((await third).IsAvailable);
        Assert.False(_source.HasCall);
        Assert.Equal(CertificateState.Available, Assert.Single(_cache.Statuses).State);
    }

    [Fact]
    public async Task Queue_MostUrgentFirst_ThenInOrder_AndADuplicateRaises()
    {
        using var cache = Make(new() { MaxConcurrent = 1, ReservedForRealTime = 0 });
        _ = cache.GetAsync(Id("running"), CertificatePriority.Background);
        var running = await _source.NextAsync();
        _ = cache.GetAsync(Id("background"), CertificatePriority.Background);
        _ = cache.GetAsync(Id("warmup1"), CertificatePriority.Warmup);
        _ = cache.GetAsync(Id("warmup2"), CertificatePriority.Warmup);
        _ = cache.GetAsync(Id("raised"), CertificatePriority.Background);
        _ = cache.GetAsync(Id("realtime"), CertificatePriority.RealTime);
        _ = cache.GetAsync(Id("raised"), CertificatePriority.RealTime);
        _ = cache.GetAsync(Id("realtime"), CertificatePriority.Background); // never lowers

        var order = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            Assert.False(_source.HasCall);
            running.Succeed(_ca.Issue(running.Id));
            running = await _source.NextAsync();
            order.Add(running.Id.ServiceAccount);
        }

        Assert.Equal(["realtime", "raised", "warmup1", "warmup2", "background"], order);
    }

    [Fact]
    public async Task Fetches_AtMostEight_AndTwoPlacesOnlyForWaitingConnections()
    {
        for (var i = 0; i < 20; i++)
            Assert.True(_cache.Prefetch(Id($"warm{i}")));
        var calls = new List<ScriptedSource.Call>();
        for (var i = 0; i < 6; i++)
            calls.Add(await _source.NextAsync());
        Assert.False(_source.HasCall);

        for (var i = 0; i < 5; i++)
            _ = _cache.GetAsync(Id($"real{i}"), CertificatePriority.RealTime);
        calls.Add(await _source.NextAsync());
        calls.Add(await _source.NextAsync());
        Assert.False(_source.HasCall);
        Assert.All(calls[6..], c => Assert.StartsWith("real", c.Id.ServiceAccount, StringComparison.Ordinal));

        calls[0].Succeed(_ca.Issue(calls[0].Id));
        Assert.StartsWith("real", (await _source.NextAsync()).Id.ServiceAccount, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Prefetch_BeyondTheLimit_IsNotQueued()
    {
        using var cache = Make(new() { MaxConcurrent = 1, ReservedForRealTime = 0, WarmupLimit = 2 });
        Assert.True(cache.Prefetch(Id("running")));
        await _source.NextAsync();
        Assert.True(cache.Prefetch(Id("w1")));
        Assert.True(cache.Prefetch(Id("w2")));
        Assert.False(cache.Prefetch(Id("w3")));
        Assert.True(cache.Prefetch(Id("w1")));
        Assert.Equal(3, cache.Statuses.Count);
    }

    [Fact]
    public async Task Certificate_AtHalfLife_IsRenewedInTheBackground()
    {
        var rotated = new List<WorkloadCertificate>();
        var twice = new TaskCompletionSource();
        _cache.Rotated += c =>
        {
            rotated.Add(c);
            if (rotated.Count == 2)
                twice.SetResult();
        };
        var first = await FetchAsync(A);

        _time.Advance(first.RefreshAt - _time.GetUtcNow() - Second);
        Assert.False(_source.HasCall);
        _time.Advance(Second);
        var call = await _source.NextAsync();
        Assert.Same(first, (await _cache.GetAsync(A, CertificatePriority.RealTime)).Certificate);

        var second = _ca.Issue(A);
        call.Succeed(second);
        await twice.Task;
        Assert.Equal([first, second], rotated);
        Assert.Same(second, (await _cache.GetAsync(A, CertificatePriority.RealTime)).Certificate);
    }

    [Fact]
    public async Task Renewal_IsSpreadBeforeHalfLife_NeverAfterIt()
    {
        using var cache = Make(new() { RefreshJitter = 0.2, Random = new HalfRandom() });
        var waiting = cache.GetAsync(A, CertificatePriority.RealTime);
        (await _source.NextAsync()).Succeed(_ca.Issue(A));
        var certificate = (await waiting).Certificate!;

        // Half of the spread: nine tenths of half the life.
        var due = certificate.RefreshAt - ((certificate.RefreshAt - certificate.NotBefore) * 0.1);
        _time.Advance(due - _time.GetUtcNow() - Second);
        Assert.False(_source.HasCall);
        _time.Advance(Second);
        Assert.Equal(A, (await _source.NextAsync()).Id);
    }

    [Fact]
    public async Task FirstFetch_Fails_CallersGetTheErrorAtOnce_UntilARetrySucceeds()
    {
        var waiting = _cache.GetAsync(A, CertificatePriority.RealTime);
        (await _source.NextAsync()).Fail("nobody signs today");
        var result = await waiting;
        Assert.False(result.IsAvailable);
        Assert.Equal(CertificateFailure.Refused, result.Failure);
        Assert.Equal("nobody signs today", result.Error);

        var again = _cache.GetAsync(A, CertificatePriority.RealTime);
        Assert.True(again.IsCompleted);
        Assert.False((await again).IsAvailable);
        Assert.Equal("nobody signs today", Assert.Single(_cache.Statuses).Error);

        _time.Advance(0.7 * Second);
        Assert.False(_source.HasCall);
        _time.Advance(0.6 * Second);
        var arrived = Rotation(_cache);
        (await _source.NextAsync()).Succeed(_ca.Issue(A));
        await arrived;
        Assert.True((await _cache.GetAsync(A, CertificatePriority.RealTime)).IsAvailable);
    }

    [Fact]
    public async Task Renewal_Fails_TheOldCertificateServesUntilItEnds_ThenTheErrorIsGiven()
    {
        var certificate = await FetchAsync(A, TimeSpan.FromMinutes(10));
        _time.Advance(certificate.RefreshAt - _time.GetUtcNow());
        while (_time.GetUtcNow() < certificate.NotAfter)
        {
            var call = await _source.NextAsync();
            Assert.Same(certificate, (await _cache.GetAsync(A, CertificatePriority.RealTime)).Certificate);
            call.Fail("still away");
            await _time.TimerIsSetAsync(RetryBackoffCap);
            _time.Advance(_time.NextDue!.Value - _time.GetUtcNow());
        }

        // The retry was pulled to the very moment the certificate ends.
        Assert.Equal(certificate.NotAfter, _time.GetUtcNow());
        var waiting = _cache.GetAsync(A, CertificatePriority.RealTime);
        (await _source.NextAsync()).Fail("still away");
        Assert.Equal("still away", (await waiting).Error);
        Assert.Equal(CertificateState.Unavailable, Assert.Single(_cache.Statuses).State);
    }

    [Fact]
    public async Task Certificate_EndsWhileItsRenewalHangs_CallersWaitForTheRenewal()
    {
        var certificate = await FetchAsync(A, TimeSpan.FromMinutes(10));
        _time.Advance(certificate.RefreshAt - _time.GetUtcNow());
        var hanging = await _source.NextAsync();
        _time.Advance(TimeSpan.FromMinutes(20));

        var waiting = _cache.GetAsync(A, CertificatePriority.RealTime);
        Assert.False(waiting.IsCompleted);
        Assert.False(_source.HasCall);
        hanging.Succeed(_ca.Issue(A));
        Assert.True((await waiting).IsAvailable);
    }

    [Fact]
    public async Task ClockJump_BeyondTheEnd_FetchesAfresh()
    {
        var certificate = await FetchAsync(A);
        _time.Jump(TimeSpan.FromDays(40));
        var waiting = _cache.GetAsync(A, CertificatePriority.RealTime);
        var renewed = _ca.Issue(A);
        (await _source.NextAsync()).Succeed(renewed);
        Assert.Same(renewed, (await waiting).Certificate);
        Assert.NotSame(certificate, renewed);
    }

    [Fact]
    public async Task Success_ResetsTheBackoff()
    {
        using var cache = Make(new() { Random = new HalfRandom() }); // exactly 1, 2, 4 ... seconds
        var waiting = cache.GetAsync(A, CertificatePriority.RealTime);
        for (var delay = 1; delay <= 4; delay *= 2)
        {
            (await _source.NextAsync()).Fail();
            await _time.TimerIsSetAsync(TimeSpan.FromSeconds(150));
            Assert.Equal(_time.GetUtcNow() + TimeSpan.FromSeconds(delay), _time.NextDue);
            _time.Advance(TimeSpan.FromSeconds(delay));
        }

        await waiting;
        var arrived = Rotation(cache);
        (await _source.NextAsync()).Succeed(_ca.Issue(A, TimeSpan.FromMinutes(10)));
        var certificate = await arrived;
        _time.Advance(certificate.RefreshAt - _time.GetUtcNow());
        (await _source.NextAsync()).Fail();
        await _time.TimerIsSetAsync(TimeSpan.FromSeconds(150));
        Assert.Equal(_time.GetUtcNow() + Second, _time.NextDue);
    }

    [Fact]
    public async Task Forget_WhilePending_TellsTheWaiter_AndTheLateAnswerIsDropped()
    {
        var waiting = _cache.GetAsync(A, CertificatePriority.RealTime);
        var call = await _source.NextAsync();
        _cache.Forget(A);
        Assert.Equal(CertificateFailure.Forgotten, (await waiting).Failure);
        call.Succeed(_ca.Issue(A));
        Assert.Empty(_cache.Statuses);

        var again = _cache.GetAsync(A, CertificatePriority.RealTime);
        (await _source.NextAsync()).Succeed(_ca.Issue(A));
        Assert.True((await again).IsAvailable);
    }

    [Fact]
    public async Task Forget_WhenDone_EndsRenewal()
    {
        var certificate = await FetchAsync(A);
        _cache.Forget(A);
        _cache.Forget(Id("never-known"));
        Assert.Empty(_cache.Statuses);
        _time.Advance(certificate.NotAfter - _time.GetUtcNow());
        Assert.False(_source.HasCall);
    }

    [Fact]
    public async Task Waiter_ThatGivesUp_LeavesTheFetchToTheOthers()
    {
        using var impatience = new CancellationTokenSource();
        var first = _cache.GetAsync(A, CertificatePriority.RealTime, impatience.Token);
        var second = _cache.GetAsync(A, CertificatePriority.RealTime);
        var call = await _source.NextAsync();
        await impatience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await first);
        call.Succeed(_ca.Issue(A));
        Assert.True((await second).IsAvailable);
    }

    [Fact]
    public async Task UnexpectedFault_IsAnErrorLikeAnother()
    {
        var waiting = _cache.GetAsync(A, CertificatePriority.RealTime);
        (await _source.NextAsync()).Answer.SetException(new IOException("disk on fire"));
        Assert.Equal(CertificateFailure.Unreachable, (await waiting).Failure);
        Assert.Contains("disk on fire", (await _cache.GetAsync(A, CertificatePriority.RealTime)).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Backoff_DoublesFromASecondToTheCap()
    {
        var backoff = default(RetryBackoff);
        var delays = Enumerable.Range(0, 12).Select(_ => backoff.Next(new HalfRandom()).TotalSeconds).ToArray();
        Assert.Equal([1, 2, 4, 8, 16, 32, 64, 128, 150, 150, 150, 150], delays);
        for (var seed = 0; seed < 100; seed++)
        {
            backoff.Reset();
            Assert.InRange(backoff.Next(new Random(seed)).TotalSeconds, 0.8, 1.2);
        }
    }

    private static readonly TimeSpan RetryBackoffCap = TimeSpan.FromSeconds(150);

    private static SpiffeId Id(string account) => new("cluster.local", "default", account);

    private static Task<WorkloadCertificate> Rotation(CertificateCache cache)
    {
        var arrived = new TaskCompletionSource<WorkloadCertificate>(TaskCreationOptions.RunContinuationsAsynchronously);
        cache.Rotated += c => arrived.TrySetResult(c);
        return arrived.Task;
    }

    private async Task<WorkloadCertificate> FetchAsync(SpiffeId id, TimeSpan? ttl = null)
    {
        var waiting = _cache.GetAsync(id, CertificatePriority.RealTime);
        (await _source.NextAsync()).Succeed(_ca.Issue(id, ttl));
        return (await waiting).Certificate!;
    }

    private CertificateCache Make(CertificateCacheOptions options) =>
        new(_source, options with { Time = _time, RefreshJitter = options.Random is HalfRandom ? options.RefreshJitter : 0 });

    /// <summary>The middle of every spread.</summary>
    private sealed class HalfRandom : Random
    {
        public override double NextDouble() => 0.5;
    }
}

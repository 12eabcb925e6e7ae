using Mesh.Identity.Certificates;
using Mesh.Identity.Fetching;
using Mesh.Model;
using Mesh.Testing;
using Mesh.Ztunnel.Local;

namespace Mesh.Ztunnel.Tests.Local;

/// <summary>Nobody decides anything before the own certificate is there: how long a connection waits for it, and what it is told.</summary>
public sealed class PodCertificatesTests : IDisposable, ICertificateSource
{
    private static readonly SpiffeId Id = new("cluster.local", "ns1", "client");
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ManualTimeProvider _time = new();
    private readonly TestCertificateAuthority _authority;
    private readonly CertificateCache _cache;
    private readonly PodCertificates _certificates;
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<WorkloadCertificate> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public PodCertificatesTests()
    {
        _authority = new TestCertificateAuthority(_time);
        _cache = new CertificateCache(this, new CertificateCacheOptions { Time = _time });
        _certificates = new PodCertificates(_cache, TimeSpan.FromSeconds(5), _time);
    }

    public void Dispose()
    {
        _cache.Dispose();
        _authority.Dispose();
    }

    public async Task<WorkloadCertificate> FetchAsync(SpiffeId id, CancellationToken cancellation)
    {
        _asked.TrySetResult();
        return await _answer.Task.WaitAsync(cancellation);
    }

    [Fact]
    public async Task AuthorityThatIsSlow_IsWaitedFor()
    {
        var answer = _certificates.GetAsync(Id).AsTask();
        await _asked.Task.WaitAsync(Patience);
        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.False(answer.IsCompleted);
        _answer.SetResult(_authority.Issue(Id));
        Assert.NotNull((await answer.WaitAsync(Patience)).Certificate);
    }

    [Fact]
    public async Task AuthorityThatSaysNothing_IsWaitedForFiveSeconds()
    {
        var answer = _certificates.GetAsync(Id).AsTask();
        await _asked.Task.WaitAsync(Patience);
        _time.Advance(TimeSpan.FromSeconds(5.1));
        var (certificate, error) = await answer.WaitAsync(Patience);
        Assert.Null(certificate);
        Assert.Equal("identity_not_issued: no certificate for spiffe://cluster.local/ns/ns1/sa/client within 5 s, the authority has not answered", error);
    }

    [Fact]
    public async Task AuthorityThatRefuses_HasTheLastWord_AndTheNextConnectionNeedNotWaitForIt()
    {
        _answer.SetException(new CertificateException(CertificateFailure.Unreachable, "PERMISSION_DENIED: this node may not"));
        foreach (var _ in Enumerable.Range(0, 2))
        {
            var (certificate, error) = await _certificates.GetAsync(Id).AsTask().WaitAsync(Patience);
            Assert.Null(certificate);
            Assert.Contains("PERMISSION_DENIED: this node may not", error, StringComparison.Ordinal);
        }
        Assert.True(_certificates.GetAsync(Id).IsCompletedSuccessfully);
    }
}

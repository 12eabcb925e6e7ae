using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;
using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Telemetry;
using Mesh.Model;
using Mesh.Runtime;
using Mesh.Runtime.Metrics;
using Mesh.Testing;

namespace Mesh.IstiodLite.Tests.Certificates;

/// <summary>The replacement of the mesh's own root, on a clock of the test.</summary>
public sealed class RootRotationTests : IDisposable
{
    private static readonly TimeSpan _overlap = TimeSpan.FromHours(24);
    private CertificateLifetimes _lifetimes = new() { RootOverlap = _overlap };
    private readonly string _folder = Directory.CreateTempSubdirectory("istiod-lite-test-").FullName;
    private readonly ManualTimeProvider _time = new();
    private readonly WallClock _clock;
    private readonly Health _health;
    private SelfMadeRoot _root;
    private CertificateAuthority _authority;

    public RootRotationTests()
    {
        _clock = new WallClock(_time);
        _health = new Health(new Readiness(_time), new MetricRegistry(), null);
        (_root, _authority) = Open();
    }

    public void Dispose()
    {
        _root.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Request_GoesThroughAllPhasesAndEndsWithTheNewRootAlone()
    {
        var before = Fetch().Roots[0].Thumbprint;
        Request();
        Pass(TimeSpan.FromSeconds(10));
        Assert.Equal(RootPhase.Introducing, _root.Phase);
        Assert.False(File.Exists(Path.Combine(_folder, SelfMadeRoot.RequestFile)));
        var introduced = Fetch();
        Assert.Equal((2, before), (introduced.Roots.Count, SignerOf(introduced)));
        Pass(_overlap);
        Assert.Equal(RootPhase.Retiring, _root.Phase);
        var retiring = Fetch();
        Assert.Equal(2, retiring.Roots.Count);
        Assert.NotEqual(before, SignerOf(retiring));
        Pass(_overlap);
        Assert.Equal(RootPhase.Steady, _root.Phase);
        Assert.DoesNotContain(Fetch().Roots, r => r.Thumbprint == before);
        Assert.Equal(_authority.RootPem, File.ReadAllText(Path.Combine(_folder, SelfMadeRoot.PublicFile)));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder, SelfMadeRoot.KeyFile)));
    }

    [Fact]
    public async Task Workloads_ThatRenewAtHalfLife_NeverRefuseEachOther()
    {
        // Two workloads that renew at different times, across the whole replacement; after each step both directions are tried with real handshakes.
        var (a, b) = (Fetch(), Fetch());
        var signers = new HashSet<string>(StringComparer.Ordinal);
        for (var hour = 0; hour < 96; hour++)
        {
            if (hour == 6)
                Request();
            Pass(TimeSpan.FromHours(1));
            if (hour % 12 == 0)
                a = Fetch();
            if (hour % 12 == 7)
                b = Fetch();
            await Handshakes.AcceptsAsync(a, b);
            await Handshakes.AcceptsAsync(b, a);
            signers.Add(SignerOf(a));
        }

        Assert.Equal((2, RootPhase.Steady), (signers.Count, _root.Phase));
        Assert.Single(a.Roots);
    }

    [Fact]
    public void Restart_InTheMiddle_GoesOnWhereItWas()
    {
        Request();
        Pass(TimeSpan.FromSeconds(10));
        Pass(_overlap / 2);
        _root.Dispose();
        (_root, _authority) = Open();
        Assert.Equal(RootPhase.Introducing, _root.Phase);
        Assert.Equal(2, Fetch().Roots.Count);
        Pass(_overlap / 2);
        Assert.Equal(RootPhase.Retiring, _root.Phase);
    }

    [Fact]
    public void Clock_ThatJumps_EndsNoOverlapEarly()
    {
        Request();
        Pass(TimeSpan.FromSeconds(10));
        _clock.Ahead = TimeSpan.FromDays(2);
        Pass(TimeSpan.FromSeconds(10));
        Assert.Equal(RootPhase.Introducing, _root.Phase);
    }

    [Fact]
    public void Root_NearItsEnd_IsReplacedUnasked()
    {
        _root.Dispose();
        File.Delete(Path.Combine(_folder, SelfMadeRoot.KeyFile));
        _lifetimes = new() { Root = TimeSpan.FromDays(2), RootOverlap = TimeSpan.FromHours(1) };
        (_root, _authority) = Open();
        Pass(_lifetimes.Root * 0.79);
        Assert.Equal(RootPhase.Steady, _root.Phase);
        Pass(_lifetimes.Root * 0.02);
        Assert.Equal(RootPhase.Introducing, _root.Phase);
    }

    [Fact]
    public void Disk_ThatCannotBeWritten_PutsTheStepOffAndSaysSo()
    {
        Request();
        var moved = _folder + "-away";
        // The folder is there with the request and takes no new file: what a full disk does, also for root.
        File.Move(Path.Combine(_folder, SelfMadeRoot.KeyFile), moved);
        Directory.CreateDirectory(Path.Combine(_folder, SelfMadeRoot.KeyFile));
        Pass(TimeSpan.FromSeconds(10));
        Assert.Equal(RootPhase.Steady, _root.Phase);
        Assert.Contains("root certificate: ", _health.Text, StringComparison.Ordinal);
        Directory.Delete(Path.Combine(_folder, SelfMadeRoot.KeyFile));
        File.Move(moved, Path.Combine(_folder, SelfMadeRoot.KeyFile));
        Pass(TimeSpan.FromSeconds(10));
        Assert.Equal(RootPhase.Introducing, _root.Phase);
        Assert.DoesNotContain("root certificate", _health.Text, StringComparison.Ordinal);
    }

    private static string SignerOf(WorkloadCertificate certificate)
    {
        using var chain = new X509Chain { ChainPolicy = { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, VerificationFlags = X509VerificationFlags.IgnoreNotTimeValid } };
        chain.ChainPolicy.CustomTrustStore.AddRange(certificate.Roots);
        Assert.True(chain.Build(certificate.Leaf));
        return chain.ChainElements[^1].Certificate.Thumbprint;
    }

    private (SelfMadeRoot, CertificateAuthority) Open()
    {
        var root = new SelfMadeRoot(_folder, "cluster.local", _lifetimes, _clock, _health, null);
        var authority = new CertificateAuthority(root.Material, _lifetimes, _clock);
        root.Keep(authority);
        return (root, authority);
    }

    private WorkloadCertificate Fetch()
    {
        var id = new SpiffeId("cluster.local", "default", "payment");
        var request = CsrBuilder.Create(id);
        Assert.True(ReadCsr.TryRead(request.Pem, out var csr, out _));
        return WorkloadCertificate.FromChain(id, request, _authority.Sign(csr, id, TimeSpan.Zero)!);
    }

    private void Request() => File.WriteAllText(Path.Combine(_folder, SelfMadeRoot.RequestFile), "");

    private void Pass(TimeSpan time) => _time.Advance(time);

    /// <summary>A clock that somebody can set while time passes as before.</summary>
    private sealed class WallClock(TimeProvider time) : TimeProvider
    {
        public TimeSpan Ahead { get; set; }
        public override long TimestampFrequency => time.TimestampFrequency;
        public override DateTimeOffset GetUtcNow() => time.GetUtcNow() + Ahead;
        public override long GetTimestamp() => time.GetTimestamp();
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => time.CreateTimer(callback, state, dueTime, period);
    }
}

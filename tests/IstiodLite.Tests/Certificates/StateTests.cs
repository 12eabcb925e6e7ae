using Mesh.Identity.Certificates;
using Mesh.IstiodLite.Certificates;
using Mesh.Model;
using Mesh.IstiodLite.Telemetry;
using Mesh.Runtime;
using Mesh.Runtime.Metrics;
using Mesh.Testing;

namespace Mesh.IstiodLite.Tests.Certificates;

public sealed class StateTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("istiod-lite-test-").FullName;
    private static readonly DateTimeOffset _now = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Authority_OpenedAgain_IsTheSameAndItsKeyIsForTheOwnerOnly()
    {
        using var first = Root(TimeProvider.System);
        using var second = Root(TimeProvider.System);
        Assert.Equal(first.Material.RootsPem, second.Material.RootsPem);
        Assert.Equal(first.Material.RootsPem, File.ReadAllText(Path.Combine(_folder, SelfMadeRoot.PublicFile)));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder, SelfMadeRoot.KeyFile)));
    }

    [Fact]
    public void Key_ReadableByOthers_IsRefused()
    {
        Root(TimeProvider.System).Dispose();
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(Path.Combine(_folder, SelfMadeRoot.KeyFile), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        var refused = Assert.Throws<StateException>(() => Root(TimeProvider.System));
        Assert.Equal(ExitCodes.Permission, refused.ExitCode);
        Assert.Contains("chmod 600", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 24 * 3600, 120)] // the default
    [InlineData(3600, 3600, 120)]
    [InlineData(20, 20, 1)] // set back by a part of itself only
    public void Certificate_Signed_LivesAsLongAsAskedAndTheChainEndsWithTheRoot(int asked, int lives, int setBack)
    {
        var time = new ManualTimeProvider(_now);
        using var root = Root(time);
        var authority = new CertificateAuthority(root.Material, new CertificateLifetimes(), time);
        var id = new SpiffeId("cluster.local", "default", "payment");
        using var request = CsrBuilder.Create(id);
        Assert.True(ReadCsr.TryRead(request.Pem, out var csr, out _));
        var chain = authority.Sign(csr, id, TimeSpan.FromSeconds(asked))!;
        Assert.Equal(authority.RootPem, chain[^1]);
        Assert.All(chain, c => Assert.EndsWith("-----END CERTIFICATE-----\n", c, StringComparison.Ordinal));
        var certificate = WorkloadCertificate.FromChain(id, request, chain);
        Assert.Equal((_now.AddSeconds(-setBack), _now.AddSeconds(lives)), (certificate.NotBefore, certificate.NotAfter));
        Assert.True(certificate.RefreshAt > _now);
    }

    [Fact]
    public void Certificate_AboveTheLimit_IsRefused()
    {
        using var root = Root(TimeProvider.System);
        var authority = new CertificateAuthority(root.Material, new CertificateLifetimes { Maximum = TimeSpan.FromHours(1), Default = TimeSpan.FromMinutes(1) }, TimeProvider.System);
        using var request = CsrBuilder.Create(new SpiffeId("cluster.local", "a", "b"));
        Assert.True(ReadCsr.TryRead(request.Pem, out var csr, out _));
        Assert.Null(authority.Sign(csr, new SpiffeId("cluster.local", "a", "b"), TimeSpan.FromHours(2)));
    }

    private SelfMadeRoot Root(TimeProvider time) =>
        new(_folder, "cluster.local", new CertificateLifetimes(), time, new Health(new Readiness(time), new MetricRegistry(), null), null);

    [Fact]
    public void Token_Issued_SaysWhoUntilItExpires()
    {
        var key = TokenKey.Open(_folder);
        Assert.Equal(new NodeCaller("node-1"), TokenKey.Open(_folder).Verify(key.Issue(new NodeCaller("node-1"), _now.AddHours(1)), _now, out _));
        var workload = new WorkloadCaller("shop", "payment", "p-1");
        var token = key.Issue(workload, _now.AddHours(1));
        Assert.Equal(workload, key.Verify(token, _now, out _));
        Assert.Null(key.Verify(token, _now.AddHours(1), out var reason));
        Assert.Contains("expired", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Token_TouchedAnywhere_IsRefused()
    {
        var key = TokenKey.Open(_folder);
        var token = key.Issue(new NodeCaller("node-1"), _now.AddHours(1));
        for (var i = 0; i < token.Length; i++)
        {
            var changed = token[..i] + (token[i] == 'A' ? 'B' : 'A') + token[(i + 1)..];
            // The last character of base64url holds two unused bits: changing only those gives the same signature.
            if (i < token.Length - 1)
                Assert.Null(key.Verify(changed, _now, out _));
        }
        var other = Directory.CreateTempSubdirectory("istiod-lite-test-").FullName;
        Assert.Null(TokenKey.Open(other).Verify(token, _now, out _));
        Directory.Delete(other, recursive: true);
        Assert.Null(key.Verify(null, _now, out _));
        Assert.Null(key.Verify("mesh1.x", _now, out _));
    }
}

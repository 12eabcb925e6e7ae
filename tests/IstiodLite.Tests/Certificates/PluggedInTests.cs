using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;
using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Telemetry;
using Mesh.Model;
using Mesh.Runtime;
using Mesh.Runtime.Metrics;
using Mesh.Testing;

namespace Mesh.IstiodLite.Tests.Certificates;

public sealed class PluggedInTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("istiod-lite-test-").FullName;
    private readonly ManualTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly Health _health;
    private readonly X509Certificate2 _root;

    public PluggedInTests()
    {
        _health = new Health(new Readiness(_time), new MetricRegistry(), null);
        _root = CertificateIssuer.CreateRoot("elsewhere", TimeSpan.FromDays(100), TimeSpan.FromMinutes(1), _time);
    }

    private string Authority => Path.Combine(_folder, "ca");
    private string State => Path.Combine(_folder, "state");

    public void Dispose()
    {
        _root.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Intermediate_Signs_AndTheChainEndsWithTheRoot(bool asTlsSecret)
    {
        using var intermediate = Write(_root, asTlsSecret);
        using var plugged = Open();
        var authority = new CertificateAuthority(plugged.Material, new CertificateLifetimes(), _time);
        var (id, request, csr) = Csr();
        var chain = authority.Sign(csr, id, TimeSpan.Zero)!;
        Assert.Equal(3, chain.Count);
        var certificate = WorkloadCertificate.FromChain(id, request, chain);
        Assert.Equal(intermediate.Thumbprint, Assert.Single(certificate.Intermediates).Thumbprint);
        Assert.Equal(_root.Thumbprint, Assert.Single(certificate.Roots).Thumbprint);
        Assert.Equal(intermediate.NotAfter, certificate.Leaf.NotAfter); // never beyond the signer
        Assert.Equal(plugged.Material.RootsPem, File.ReadAllText(Path.Combine(State, SelfMadeRoot.PublicFile)));
    }

    [Fact]
    public void RsaAuthority_AsIstiosToolsMakeIt_Signs()
    {
        using var key = RSA.Create(2048);
        var made = new CertificateRequest("O=Istio, CN=Root CA", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        made.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, critical: true));
        using var root = made.CreateSelfSigned(_time.GetUtcNow().AddDays(-1), _time.GetUtcNow().AddDays(10));
        Directory.CreateDirectory(Authority);
        File.WriteAllText(Path.Combine(Authority, "ca-cert.pem"), AuthorityMaterial.Pem(root));
        File.WriteAllText(Path.Combine(Authority, "ca-key.pem"), key.ExportRSAPrivateKeyPem());
        File.WriteAllText(Path.Combine(Authority, "root-cert.pem"), AuthorityMaterial.Pem(root));
        using var plugged = Open();
        var (id, request, csr) = Csr();
        var certificate = WorkloadCertificate.FromChain(id, request, new CertificateAuthority(plugged.Material, new CertificateLifetimes(), _time).Sign(csr, id, TimeSpan.FromHours(1))!);
        using var chain = new X509Chain { ChainPolicy = { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck } };
        chain.ChainPolicy.CustomTrustStore.AddRange(certificate.Roots);
        Assert.True(chain.Build(certificate.Leaf));
    }

    [Fact]
    public void NewIntermediate_IsTakenOver_AStrangeRootIsNot()
    {
        Write(_root).Dispose();
        using var plugged = Open();
        var authority = new CertificateAuthority(plugged.Material, new CertificateLifetimes(), _time);
        plugged.Keep(authority);
        using var second = Write(_root);
        Pass();
        Assert.Equal(second.Thumbprint, plugged.Material.Signer.Thumbprint);

        using var strange = CertificateIssuer.CreateRoot("strange", TimeSpan.FromDays(100), TimeSpan.FromMinutes(1), _time);
        using var refused = Write(strange);
        Pass();
        Assert.Equal(second.Thumbprint, plugged.Material.Signer.Thumbprint);
        Assert.Contains("nothing in common", _health.Text, StringComparison.Ordinal);

        // With the old root beside it the workloads can follow.
        File.AppendAllText(Path.Combine(Authority, "root-cert.pem"), AuthorityMaterial.Pem(_root));
        Pass();
        Assert.Equal(refused.Thumbprint, plugged.Material.Signer.Thumbprint);
        Assert.DoesNotContain("plugged-in", _health.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void RevocationList_IsDistributed()
    {
        Write(_root).Dispose();
        File.WriteAllText(Path.Combine(Authority, PluggedInAuthority.CrlFile), "-----BEGIN X509 CRL-----\n");
        using var plugged = Open();
        Assert.Equal("-----BEGIN X509 CRL-----\n", File.ReadAllText(Path.Combine(State, PluggedInAuthority.CrlFile)));
    }

    [Theory]
    [InlineData("ca-key.pem", null, "ca-key.pem cannot be read")]
    [InlineData("root-cert.pem", "", "does not lead to its roots")]
    [InlineData("ca-key.pem", "nonsense", "does not hold a certificate")]
    public void Folder_ThatIsNotComplete_IsRefusedWithTheReason(string file, string? content, string reason)
    {
        Write(_root).Dispose();
        File.Delete(Path.Combine(Authority, file));
        if (content is not null)
            File.WriteAllText(Path.Combine(Authority, file), content);
        var refused = Assert.Throws<StateException>(Open);
        Assert.Equal(ExitCodes.Data, refused.ExitCode);
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("PRIVATE", refused.Message, StringComparison.Ordinal);
    }

    private PluggedInAuthority Open() => new(Authority, State, _time, _health, null);

    private void Pass() => _time.Advance(TimeSpan.FromSeconds(5));

    private static (SpiffeId, CertificateSigningRequest, ReadCsr) Csr()
    {
        var id = new SpiffeId("cluster.local", "default", "payment");
        var request = CsrBuilder.Create(id);
        Assert.True(ReadCsr.TryRead(request.Pem, out var csr, out _));
        return (id, request, csr);
    }

    private X509Certificate2 Write(X509Certificate2 root, bool asTlsSecret = false)
    {
        var intermediate = CertificateIssuer.CreateIntermediate(root, "intermediate", IssueOptions.For(TimeSpan.FromHours(12), TimeSpan.FromMinutes(1), _time));
        using var key = intermediate.GetECDsaPrivateKey()!;
        Directory.CreateDirectory(Authority);
        void Put(string name, string text) => File.WriteAllText(Path.Combine(Authority, name), text);
        Put(asTlsSecret ? "tls.crt" : "ca-cert.pem", AuthorityMaterial.Pem(intermediate));
        Put(asTlsSecret ? "tls.key" : "ca-key.pem", key.ExportPkcs8PrivateKeyPem());
        Put(asTlsSecret ? "ca.crt" : "root-cert.pem", AuthorityMaterial.Pem(root));
        if (!asTlsSecret)
            Put("cert-chain.pem", AuthorityMaterial.Pem(intermediate) + AuthorityMaterial.Pem(root));
        return intermediate;
    }
}

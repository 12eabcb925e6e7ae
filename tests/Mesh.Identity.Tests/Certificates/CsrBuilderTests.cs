using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;
using Mesh.Model;

namespace Mesh.Identity.Tests.Certificates;

public sealed class CsrBuilderTests
{
    private static readonly SpiffeId Id = SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/cl");

    [Fact]
    public void Request_HasTheRecordedShape()
    {
        var recorded = Fixture.Read("ca-requests.json")[0];
        using var made = CsrBuilder.Create(SpiffeId.Parse(recorded.GetProperty("request").GetProperty("metadata").GetProperty("ImpersonatedIdentity").GetString()!));
        var expected = recorded.GetProperty("csr");

        var request = CertificateRequest.LoadSigningRequestPem(made.Pem, HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions);

        Assert.Equal(expected.GetProperty("subject").GetString(), request.SubjectName.Name);
        using var key = request.PublicKey.GetECDsaPublicKey();
        Assert.Equal("ECPublicKey/secp256r1", expected.GetProperty("key").GetString());
        Assert.Equal(ECCurve.NamedCurves.nistP256.Oid.Value, key!.ExportParameters(false).Curve.Oid.Value);
        Assert.Equal("sha256", expected.GetProperty("signature_hash").GetString());
        Assert.Equal(HashAlgorithmName.SHA256, request.HashAlgorithm);

        var extension = Assert.Single(request.CertificateExtensions);
        var recordedExtension = Assert.Single(expected.GetProperty("extensions").EnumerateArray());
        Assert.Equal(recordedExtension.GetProperty("oid").GetString(), extension.Oid?.Value);
        Assert.Equal(recordedExtension.GetProperty("critical").GetBoolean(), extension.Critical);
        Assert.Equal(recordedExtension.GetProperty("value").GetString(), $"['{Assert.Single(SubjectAlternativeNames.Identities(extension.RawData))}']");

        // The only attribute is the one that carries the extensions; further ones would show up here.
        Assert.Equal("1.2.840.113549.1.9.14", Assert.Single(expected.GetProperty("attributes").EnumerateArray()).GetString());
        Assert.Empty(request.OtherRequestAttributes);
    }

    [Fact]
    public void Request_EachTime_HasANewKey()
    {
        using var a = CsrBuilder.Create(Id);
        using var b = CsrBuilder.Create(Id);
        Assert.True(ReadCsr.TryRead(a.Pem, out var first, out _));
        Assert.True(ReadCsr.TryRead(b.Pem, out var second, out _));
        Assert.NotEqual(first.PublicKey.EncodedKeyValue.RawData, second.PublicKey.EncodedKeyValue.RawData);
        Assert.Equal([Id], first.Identities);
    }

    [Theory]
    [InlineData("")]
    [InlineData("no pem")]
    [InlineData("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----")]
    public void Read_Rubbish_IsRefusedWithAReason(string pem)
    {
        Assert.False(ReadCsr.TryRead(pem, out _, out var reason));
        Assert.StartsWith("not a certificate signing request", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_RequestSignedWithAnotherKey_IsRefused()
    {
        using var made = CsrBuilder.Create(Id);
        var der = Convert.FromBase64String(string.Concat(made.Pem.Split('\n').Where(l => !l.StartsWith('-'))));
        der[^1] ^= 1;
        Assert.False(ReadCsr.TryRead(PemEncoding.WriteString("CERTIFICATE REQUEST", der), out _, out _));
    }
}

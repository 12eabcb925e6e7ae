using System.Globalization;
using System.Numerics;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Mesh.Identity.Fetching;
using Mesh.Model;
using Mesh.Testing;
using Mesh.Ztunnel.Admin;

namespace Mesh.Ztunnel.Tests.Admin;

/// <summary>The certificates of the dump, in each state that one can be in; the texts are recorded ones.</summary>
public sealed class CertificateDumpTests
{
    private static readonly SpiffeId Id = SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/cl");

    [Fact]
    public void Certificate_ThatIsThere_IsPrintedWithItsRoots_WithoutItsKey()
    {
        using var authority = new TestCertificateAuthority();
        var issued = authority.IssueBelowIntermediate(Id);
        var dump = CertificateDump.Of([new CertificateStatus(Id, CertificateState.Available, issued, null)])[0]!;
        Assert.Equal((Id.ToString(), "Available"), ((string)dump["identity"]!, (string)dump["state"]!));
        Assert.Equal((2, 1), (dump["certChain"]!.AsArray().Count, dump["rootCerts"]!.AsArray().Count));

        var leaf = dump["certChain"]![0]!;
        var pem = Encoding.ASCII.GetString(Convert.FromBase64String((string)leaf["pem"]!));
        Assert.Equal(issued.Leaf.Thumbprint, X509Certificate2.CreateFromPem(pem).Thumbprint);
        Assert.Equal(60, pem.Split('\n')[1].Length);
        Assert.DoesNotContain("PRIVATE", pem, StringComparison.Ordinal);
        Assert.Equal(BigInteger.Parse("0" + issued.Leaf.SerialNumber, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture), (string)leaf["serialNumber"]!);
        Assert.Equal(issued.Leaf.NotAfter.ToUniversalTime().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture), (string)leaf["expirationTime"]!);
    }

    [Theory]
    [InlineData(CertificateState.Initializing, null, "Initializing")]
    [InlineData(CertificateState.Unavailable, "signing gRPC error: scripted CA failure", "Unavailable: signing gRPC error: scripted CA failure")]
    public void Certificate_ThatIsNotThere_HasItsStateAndEmptyLists(CertificateState state, string? error, string expected)
    {
        var dump = CertificateDump.Of([new CertificateStatus(Id, state, null, error)])[0]!;
        Assert.Equal((expected, 0, 0), ((string)dump["state"]!, dump["certChain"]!.AsArray().Count, dump["rootCerts"]!.AsArray().Count));
    }
}

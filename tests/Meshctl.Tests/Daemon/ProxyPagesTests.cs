using Mesh.Meshctl.Daemon;

namespace Mesh.Meshctl.Tests.Daemon;

public sealed class ProxyPagesTests
{
    [Fact]
    public void ReadCertificates_OfADump_GivesStateAndValidity()
    {
        const string dump = """{"certificates":[{"certChain":[{"expirationTime":"2026-01-01T00:00:00Z","pem":"","serialNumber":"12","validFrom":"x"}],"identity":"spiffe://a/ns/b/sa/c","rootCerts":[],"state":"Available"},{"certChain":[],"identity":"spiffe://a/ns/b/sa/d","state":"Initializing"}]}""";
        var found = ProxyPages.ReadCertificates("ztunnel-node-1", dump).ToList();
        Assert.Equal("12", found[0].SerialNumber);
        Assert.Equal("2026-01-01T00:00:00Z", found[0].ValidUntil);
        Assert.Equal("Initializing", found[1].State);
        Assert.Null(found[1].SerialNumber);
    }

    [Fact]
    public void ReadCertificates_WithoutAny_IsEmpty() => Assert.Empty(ProxyPages.ReadCertificates("z", "{}"));

    [Theory]
    [InlineData("[]", true)]
    [InlineData("[{\"pending\":false,\"types\":[{\"synced\":true}]}]", true)]
    [InlineData("[{\"pending\":true,\"types\":[{\"synced\":true}]}]", false)]
    [InlineData("[{\"pending\":false,\"types\":[{\"synced\":true},{\"synced\":false}]}]", false)]
    public void AllAccepted_OfASyncPage_NeedsEveryStreamAndType(string page, bool expected) => Assert.Equal(expected, ControlPlane.AllAccepted(page));

    [Fact]
    public void ReadFaults_OfAReadinessPage_IsEverythingButItsFirstLine()
    {
        Assert.Empty(ControlPlane.ReadFaults("ready\n"));
        Assert.Equal(["clients: node a refused x", "state folder: full"], ControlPlane.ReadFaults("ready\nclients: node a refused x\nstate folder: full\n"));
    }
}

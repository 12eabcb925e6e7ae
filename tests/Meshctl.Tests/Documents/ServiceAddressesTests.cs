using Mesh.Meshctl.Documents;

namespace Mesh.Meshctl.Tests.Documents;

public sealed class ServiceAddressesTests
{
    [Fact]
    public void HostsFile_OwnNamespace_ResolvesTheShortNameOthersOnlyTheLong()
    {
        var hosts = ServiceAddresses.HostsFile("shop", "client", "198.18.1.10",
        [
            new NamedAddress("shop", "payment", "198.19.0.1", IsService: true),
            new NamedAddress("bank", "payment", "198.19.0.2", IsService: true),
            new NamedAddress("shop", "api.example.com", "198.19.0.3", IsService: false),
        ]);
        var lines = hosts.Split('\n');
        Assert.Contains("198.19.0.1 payment.shop.svc.cluster.local payment.shop.svc payment.shop payment", lines);
        Assert.Contains("198.19.0.2 payment.bank.svc.cluster.local payment.bank.svc payment.bank", lines);
        Assert.Contains("198.19.0.3 api.example.com", lines);
        Assert.Contains("198.18.1.10 client", lines);
        Assert.Contains("127.0.0.1 localhost", lines);
    }
}

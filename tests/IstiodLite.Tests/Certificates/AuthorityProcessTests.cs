using System.Security.Cryptography.X509Certificates;
using Mesh.Identity.Certificates;
using Mesh.Identity.Fetching;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Xds.Grpc;

namespace Mesh.IstiodLite.Tests.Certificates;

/// <summary>The real executable replaces its root while workloads connect to each other.</summary>
public sealed class AuthorityProcessTests
{
    private static readonly SpiffeId _id = new("cluster.local", "default", "payment");

    [Fact]
    public async Task RotateRoot_UnderTraffic_RefusesNoConnection()
    {
        await using var plane = await ControlPlaneProcess.StartAsync(["--root-overlap", "5s"], [Documents.Pod("payment", "payment", "198.18.1.2")]);
        using var channel = await plane.ConnectAsync("--workload", "default/payment");
        var source = new CaCertificateSource(new CaGrpcClient(channel, new CaClientOptions { Impersonate = false }), TimeSpan.FromSeconds(60));
        var (a, b) = (await source.FetchAsync(_id, default), await source.FetchAsync(_id, default));
        var old = Assert.Single(a.Roots).Thumbprint;
        var (code, _, error) = await ControlPlaneProcess.RunAsync("rotate-root", "--state-dir", plane.State);
        Assert.True(code == 0, error);
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        var connections = 0;
        while (a.Roots.Count != 1 || a.Roots[0].Thumbprint == old)
        {
            limit.Token.ThrowIfCancellationRequested();
            // The two renew in turns, so that at each moment one of them is behind.
            (a, b) = connections++ % 20 == 0 ? (await source.FetchAsync(_id, default), b) : connections % 20 == 10 ? (a, await source.FetchAsync(_id, default)) : (a, b);
            await Handshakes.AcceptsAsync(a, b);
            await Handshakes.AcceptsAsync(b, a);
        }

        Assert.True(connections > 20);
        // The control plane's own certificate went along: a client that trusts the new root alone reaches it.
        using var again = await plane.ConnectAsync("--workload", "default/payment");
        Assert.NotNull(await new CaCertificateSource(new CaGrpcClient(again, new CaClientOptions { Impersonate = false }), TimeSpan.FromSeconds(60)).FetchAsync(_id, default));
        foreach (var page in (string[])["/debug/ca", "/debug/config_dump", "/debug/syncz", "/debug/push_status", "/debug/registry", "/metrics", "/ready"])
            Assert.DoesNotContain("PRIVATE", await plane.GetAsync(page), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Revoke_PutsTheCertificateOnTheListThatProxiesRead()
    {
        await using var plane = await ControlPlaneProcess.StartAsync(Documents.Pod("payment", "payment", "198.18.1.2"));
        using var channel = await plane.ConnectAsync("--workload", "default/payment");
        var source = new CaCertificateSource(new CaGrpcClient(channel, new CaClientOptions { Impersonate = false }), TimeSpan.FromSeconds(60));
        var (first, second, third) = (await source.FetchAsync(_id, default), await source.FetchAsync(_id, default), await source.FetchAsync(_id, default));
        foreach (var certificate in (WorkloadCertificate[])[first, second])
        {
            var file = Path.Combine(plane.State, "taken-back.pem");
            await File.WriteAllTextAsync(file, certificate.Leaf.ExportCertificatePem());
            var (code, _, error) = await ControlPlaneProcess.RunAsync("revoke", "--state-dir", plane.State, file);
            Assert.True(code == 0, error);
        }

        var list = new RevocationList();
        var text = await plane.GetAsync("/ca-crl.pem");
        Assert.Equal(text, await File.ReadAllTextAsync(Path.Combine(plane.State, "ca-crl.pem")));
        Assert.Null(list.Replace(System.Text.Encoding.ASCII.GetBytes(text)));
        X509Certificate2 root = first.Roots[0];
        Assert.True(list.IsRevoked(first.Leaf, root) && list.IsRevoked(second.Leaf, root));
        Assert.False(list.IsRevoked(third.Leaf, root));
    }
}

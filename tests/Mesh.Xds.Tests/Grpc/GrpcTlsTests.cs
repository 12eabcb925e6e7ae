using System.Net;
using Istio.V1.Auth;
using Mesh.Testing;
using Mesh.Xds.Grpc;
using static Mesh.Xds.Tests.Grpc.GrpcTestServer;

namespace Mesh.Xds.Tests.Grpc;

public sealed class GrpcTlsTests : IDisposable
{
    private readonly TestCertificateAuthority _authority = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("mesh-xds-").FullName;

    [Fact]
    public async Task Server_WithTheConfiguredRoot_IsTrusted()
    {
        await using var server = await ServeAsync("localhost");
        using var channel = server.Channel(o => o with { Trust = GrpcServerTrust.FromPem(_authority.RootPem) });
        Assert.Equal("ok", await AskAsync(channel));
    }

    [Fact]
    public async Task Server_OfAnotherRoot_IsRefusedWithTheReason()
    {
        using var other = new TestCertificateAuthority();
        await using var server = await ServeAsync("localhost");
        using var channel = server.Channel(o => o with { Trust = GrpcServerTrust.FromPem(other.RootPem) });
        var failure = await Assert.ThrowsAsync<GrpcException>(() => AskAsync(channel));
        Assert.Equal(GrpcFailurePhase.Opening, failure.Phase);
        Assert.Contains("does not chain to the inline PEM", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Server_WithAnotherName_IsRefused()
    {
        await using var server = await ServeAsync("istiod.istio-system.svc", address: null);
        using var channel = server.Channel(o => o with { Trust = GrpcServerTrust.FromPem(_authority.RootPem) });
        var failure = await Assert.ThrowsAsync<GrpcException>(() => AskAsync(channel));
        Assert.Contains("is for another name", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Server_WithTheAlternativeName_IsTrusted()
    {
        await using var server = await ServeAsync("istiod.istio-system.svc", address: null);
        using var channel = server.Channel(o => o with { Trust = GrpcServerTrust.FromPem(_authority.RootPem), AlternativeHostName = "istiod.istio-system.svc" });
        Assert.Equal("ok", await AskAsync(channel));
    }

    [Fact]
    public async Task RootFile_Replaced_IsReadAgainAtTheNextConnection()
    {
        using var other = new TestCertificateAuthority();
        var file = Path.Combine(_folder, "root.pem");
        await File.WriteAllTextAsync(file, other.RootPem);
        await using var server = await ServeAsync("localhost");
        using var channel = server.Channel(o => o with { Trust = GrpcServerTrust.Parse(file) });
        await Assert.ThrowsAsync<GrpcException>(() => AskAsync(channel));
        await File.WriteAllTextAsync(file, _authority.RootPem);
        Assert.Equal("ok", await AskAsync(channel));
    }

    [Fact]
    public async Task RootFile_ThatIsNotThere_IsNamed()
    {
        await using var server = await ServeAsync("localhost");
        using var channel = server.Channel(o => o with { Trust = GrpcServerTrust.Parse("./no/such/root.pem") });
        Assert.Contains("./no/such/root.pem", (await Assert.ThrowsAsync<GrpcException>(() => AskAsync(channel))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TokenFile_IsReadForEachCall()
    {
        var file = Path.Combine(_folder, "token");
        await File.WriteAllTextAsync(file, "one\n");
        await using var server = await ServeAsync("localhost");
        using var channel = server.Channel(o => o with
        {
            Trust = GrpcServerTrust.FromPem(_authority.RootPem),
            Credentials = TokenCredentials.Parse(file, "Kubernetes"),
        });
        Assert.Equal("ok one", await AskAsync(channel));
        await File.WriteAllTextAsync(file, "two");
        Assert.Equal("ok two", await AskAsync(channel));
        await File.WriteAllTextAsync(file, "");
        Assert.Contains("is empty", (await Assert.ThrowsAsync<GrpcException>(() => AskAsync(channel))).Message, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _authority.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private Task<GrpcTestServer> ServeAsync(string name) => ServeAsync(name, IPAddress.Loopback);

    private Task<GrpcTestServer> ServeAsync(string name, IPAddress? address) => StartAsync(
        e => e.MapGrpcUnary(Echo, (_, call) => Task.FromResult(new IstioCertificateResponse { CertChain = { $"ok {call.BearerToken}".TrimEnd() } })),
        _authority.IssueServer([name], address is null ? [] : [address]));

    private static async Task<string> AskAsync(GrpcChannel channel) => (await channel.UnaryAsync(Echo, new IstioCertificateRequest())).CertChain[0];
}

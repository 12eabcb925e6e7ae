using System.Net;
using Istio.V1.Auth;
using Mesh.Identity.Certificates;
using Mesh.Identity.Fetching;
using Mesh.Model;
using Mesh.Testing;
using Mesh.Xds.Grpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Mesh.Identity.Tests.Fetching;

public sealed class CaGrpcClientTests : IAsyncDisposable
{
    private static readonly SpiffeId Id = SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/cl");
    private static readonly string[] Headers = ["x_test", "authorization", "clusterid"];
    private readonly TestCertificateAuthority _ca = new();
    private readonly List<(IstioCertificateRequest Request, Dictionary<string, string?> Metadata)> _seen = [];
    private WebApplication? _server;

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        _ca.Dispose();
    }

    [Fact]
    public async Task Fetch_FromAnAuthority_GivesACertificate_AskedForAsRecorded()
    {
        using var channel = await ConnectAsync((request, _) => _ca.Sign(request.Csr, Id));
        var source = new CaCertificateSource(new CaGrpcClient(channel, new() { Impersonate = true, Headers = new GrpcMetadata().Add("x_test", "cv") }), TimeSpan.FromHours(24));

        var certificate = await source.FetchAsync(Id, default);

        Assert.Equal(Id, certificate.Identity);
        var recorded = Fixture.Read("ca-requests.json")[0];
        var (request, metadata) = Assert.Single(_seen);
        Assert.Equal(recorded.GetProperty("request").GetProperty("validity_duration").GetString(), $"{request.ValidityDuration}");
        var impersonated = Assert.Single(request.Metadata.Fields);
        Assert.Equal(recorded.GetProperty("request").GetProperty("metadata").GetProperty("ImpersonatedIdentity").GetString(), impersonated.Value.StringValue);
        Assert.Equal("ImpersonatedIdentity", impersonated.Key);
        foreach (var header in recorded.GetProperty("metadata").EnumerateObject())
            Assert.Equal(header.Value.GetString(), metadata[header.Name]);
    }

    [Fact]
    public async Task Fetch_ForOneself_HasNoMetadata()
    {
        using var channel = await ConnectAsync((request, _) => _ca.Sign(request.Csr, Id));
        await new CaCertificateSource(new CaGrpcClient(channel, new() { Impersonate = false }), TimeSpan.FromHours(1)).FetchAsync(Id, default);
        Assert.Null(Assert.Single(_seen).Request.Metadata);
    }

    [Theory]
    [InlineData(GrpcStatusCode.PermissionDenied, CertificateFailure.Refused)]
    [InlineData(GrpcStatusCode.Unauthenticated, CertificateFailure.Refused)]
    [InlineData(GrpcStatusCode.Unavailable, CertificateFailure.Unreachable)]
    public async Task Fetch_Refused_SaysWhoAndWhy(GrpcStatusCode code, CertificateFailure expected)
    {
        using var channel = await ConnectAsync((_, _) => throw new GrpcException(code, "not you"));
        var failure = await Assert.ThrowsAsync<CertificateException>(() => Source(channel).FetchAsync(Id, default));
        Assert.Equal(expected, failure.Failure);
        Assert.Contains(Id.ToString(), failure.Message, StringComparison.Ordinal);
        Assert.Contains("not you", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fetch_FromNobody_IsUnreachable()
    {
        using var channel = new GrpcChannel(new() { Address = new("http://127.0.0.1:1") });
        Assert.Equal(CertificateFailure.Unreachable, (await Assert.ThrowsAsync<CertificateException>(() => Source(channel).FetchAsync(Id, default))).Failure);
    }

    [Fact]
    public async Task Answer_EmptyOrForAnother_IsRefused()
    {
        using var empty = await ConnectAsync((_, _) => []);
        Assert.Equal(CertificateFailure.BadResponse, (await Assert.ThrowsAsync<CertificateException>(() => Source(empty).FetchAsync(Id, default))).Failure);
        await _server!.DisposeAsync();
        using var wrong = await ConnectAsync((request, _) => _ca.Sign(request.Csr, Id with { Namespace = "other" }));
        Assert.Equal(CertificateFailure.WrongIdentity, (await Assert.ThrowsAsync<CertificateException>(() => Source(wrong).FetchAsync(Id, default))).Failure);
    }

    private static CaCertificateSource Source(GrpcChannel channel) => new(new CaGrpcClient(channel, new() { Impersonate = true }), TimeSpan.FromHours(1));

    private async Task<GrpcChannel> ConnectAsync(Func<IstioCertificateRequest, GrpcServerCall, IReadOnlyList<string>> sign)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(o => o.Listen(IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http2));
        _server = builder.Build();
        _server.MapGrpcUnary(GrpcMethods.CreateCertificate, (request, call) =>
        {
            _seen.Add((request, Headers.ToDictionary(h => h, call.GetMetadata)));
            return Task.FromResult(new IstioCertificateResponse { CertChain = { sign(request, call) } });
        });
        await _server.StartAsync();
        var address = _server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return new GrpcChannel(new() { Address = new(address), Credentials = TokenCredentials.FromLiteral("<token>", "Kubernetes") });
    }
}

using System.Net;
using System.Security.Cryptography.X509Certificates;
using Istio.V1.Auth;
using Mesh.Xds.Grpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Mesh.Xds.Tests.Grpc;

/// <summary>Kestrel on a free loopback port with the endpoints of one test.</summary>
internal sealed class GrpcTestServer : IAsyncDisposable
{
    /// <summary>A method whose messages carry one text each way.</summary>
    public static readonly GrpcMethod<IstioCertificateRequest, IstioCertificateResponse> Echo = GrpcMethods.CreateCertificate with { FullName = "test.Echo/Say" };

    private readonly WebApplication _app;

    private GrpcTestServer(WebApplication app, bool tls)
    {
        _app = app;
        Address = new Uri(app.Urls.Single().Replace("http:", tls ? "https:" : "http:", StringComparison.Ordinal));
    }

    public Uri Address { get; }

    public static async Task<GrpcTestServer> StartAsync(Action<IEndpointRouteBuilder> map, X509Certificate2? certificate = null, int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            GrpcKestrel.Configure(kestrel);
            kestrel.Listen(IPAddress.Loopback, port, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                if (certificate is not null)
                    listen.UseHttps(certificate);
            });
        });
        var app = builder.Build();
        map(app);
        await app.StartAsync();
        return new GrpcTestServer(app, certificate is not null);
    }

    public GrpcChannel Channel(Func<GrpcChannelOptions, GrpcChannelOptions>? change = null)
    {
        var options = new GrpcChannelOptions { Address = Address };
        return new GrpcChannel(change?.Invoke(options) ?? options);
    }

    public async ValueTask DisposeAsync()
    {
        using var atOnce = new CancellationTokenSource();
        await atOnce.CancelAsync();
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
    }
}

using System.Net;
using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Registration;
using Mesh.Runtime.Logging;
using Mesh.Xds.Grpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;

namespace Mesh.IstiodLite.Discovery;

/// <summary>Port 15012: discovery and certificates, gRPC over TLS; registrations, JSON over TLS. Nothing is bound before <see cref="StartAsync"/>.</summary>
/// <param name="registration">Null: a cluster's own objects are the registry.</param>
internal sealed class DiscoveryListener(IPEndPoint endPoint, DiscoveryService discovery, SigningService signing, RegistrationApi? registration, ServerCertificate certificate, TimeProvider time, Log? log) : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private WebApplication? _application;
    private ListenOptions? _bound;

    public IPEndPoint EndPoint => _bound?.IPEndPoint ?? endPoint;

    public async Task StartAsync(CancellationToken cancellation)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(Configure);
        builder.Services.AddRoutingCore();
        builder.Services.LeaveSignalsToTheProcess();
        _application = builder.Build();
        _application.UseRouting();
        var grpc = new GrpcServerOptions { Time = time, Stopping = _stopping.Token, UnexpectedFailure = (call, e) => log?.Error($"{call.Method} failed: {e}") };
        _application.MapGrpcDuplex(GrpcMethods.DeltaAggregatedResources, discovery.ServeAsync, grpc);
        _application.MapGrpcUnary(GrpcMethods.CreateCertificate, signing.CreateCertificateAsync, grpc);
        registration?.Map(_application);
        _application.UseEndpoints(_ => { });
        await _application.StartAsync(cancellation);
        log?.Info($"discovery and certificates on https://{EndPoint}");
    }

    /// <summary>Tells streams to go elsewhere, then closes.</summary>
    public async Task StopAsync(TimeSpan deadline)
    {
        if (_application is null)
            return;
        await _stopping.CancelAsync();
        using var limit = new CancellationTokenSource(deadline, time);
        await _application.StopAsync(limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (_application is not null)
            await _application.DisposeAsync();
        _stopping.Dispose();
    }

    private void Configure(KestrelServerOptions options)
    {
        GrpcKestrel.Configure(options);
        options.Listen(endPoint, listener =>
        {
            _bound = listener;
            // gRPC is HTTP/2; registrations may come from any program that speaks HTTP.
            listener.Protocols = HttpProtocols.Http1AndHttp2;
            listener.UseHttps(new TlsHandshakeCallbackOptions
            {
                OnConnection = _ => ValueTask.FromResult(certificate.Options),
                // When thousands of agents come back at once it is the server that is slow: 5,000 handshakes take it 13 s on two cores.
                HandshakeTimeout = TimeSpan.FromSeconds(30),
            });
        });
    }
}

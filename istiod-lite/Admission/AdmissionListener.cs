using System.Net;
using System.Text.Json;
using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Discovery;
using Mesh.Runtime.Logging;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;

namespace Mesh.IstiodLite.Admission;

/// <summary>Port 15017: the validating webhook, HTTPS with the control plane's own certificate. Nothing is bound before <see cref="StartAsync"/>.</summary>
internal sealed class AdmissionListener(IPEndPoint endPoint, ServerCertificate certificate, Log? log) : IAsyncDisposable
{
    // The API server's own limit for an object, with room for the old one next to the new one.
    private const long LargestReview = 7 << 20;
    private WebApplication? _application;
    private ListenOptions? _bound;

    public IPEndPoint EndPoint => _bound?.IPEndPoint ?? endPoint;

    public async Task StartAsync(CancellationToken cancellation)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = LargestReview;
            kestrel.Listen(endPoint, listener =>
            {
                _bound = listener;
                listener.Protocols = HttpProtocols.Http1AndHttp2;
                listener.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => ValueTask.FromResult(certificate.Options), HandshakeTimeout = TimeSpan.FromSeconds(10) });
            });
        });
        builder.Services.LeaveSignalsToTheProcess();
        _application = builder.Build();
        _application.Run(ServeAsync);
        await _application.StartAsync(cancellation);
        log?.Info($"admission reviews on https://{EndPoint}/validate");
    }

    public async ValueTask DisposeAsync()
    {
        if (_application is null)
            return;
        await _application.StopAsync(CancellationToken.None);
        await _application.DisposeAsync();
    }

    private async Task ServeAsync(HttpContext http)
    {
        if (http.Request.Path.Value is not "/validate" || !HttpMethods.IsPost(http.Request.Method))
        {
            http.Response.StatusCode = http.Request.Path.Value is "/validate" ? StatusCodes.Status405MethodNotAllowed : StatusCodes.Status404NotFound;
            return;
        }
        try
        {
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body, http.RequestAborted);
            var answer = AdmissionReview.Answer(body.ToArray());
            if ((bool?)answer["response"]!["allowed"] is false)
                log?.Info($"refused: {answer["response"]!["status"]!["message"]}");
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync(answer.ToJsonString(), http.RequestAborted);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            http.Response.StatusCode = StatusCodes.Status400BadRequest;
            await http.Response.WriteAsync($"not an AdmissionReview: {e.Message}\n", http.RequestAborted);
        }
    }
}

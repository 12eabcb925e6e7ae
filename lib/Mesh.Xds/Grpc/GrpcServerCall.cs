using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mesh.Xds.Grpc;

/// <summary>What a handler may know about the call it serves.</summary>
public class GrpcServerCall
{
    internal GrpcServerCall(HttpContext http, string method, CancellationToken cancellation)
    {
        Http = http;
        Method = method;
        Cancellation = cancellation;
    }

    /// <summary>Full method name, without the leading slash.</summary>
    public string Method { get; }

    /// <summary>Fires when the client went away, its deadline passed, or the server stops.</summary>
    public CancellationToken Cancellation { get; }

    public IPEndPoint? RemoteEndPoint => Http.Connection.RemoteIpAddress is { } address ? new IPEndPoint(address, Http.Connection.RemotePort) : null;

    public X509Certificate2? ClientCertificate => Http.Connection.ClientCertificate;

    public bool IsEncrypted => Http.Request.IsHttps;

    /// <summary>Sent with the status.</summary>
    public GrpcMetadata Trailers { get; } = new();

    internal HttpContext Http { get; }

    /// <summary>The value of a request metadata key, or null. A repeated key gives its first value.</summary>
    public string? GetMetadata(string key) => Http.Request.Headers.TryGetValue(key, out var values) && values.Count > 0 ? values[0] : null;

    /// <summary>The token of <c>authorization: Bearer ...</c>, or null.</summary>
    public string? BearerToken =>
        GetMetadata("authorization") is { } value && value.StartsWith("Bearer ", StringComparison.Ordinal) ? value["Bearer ".Length..] : null;

    /// <summary>Tells the client now that the call is accepted; a later failure is then a status after headers.</summary>
    public async ValueTask SendHeadersAsync()
    {
        if (Http.Response.HasStarted)
            return;
        await Http.Response.StartAsync(Cancellation);
        // Starting only hands the headers to the connection; without a flush they would wait for the first message.
        await Http.Response.BodyWriter.FlushAsync(Cancellation);
    }

    /// <summary>Ends the call without a status (RST_STREAM CANCEL); for peers that no longer take what is sent.</summary>
    public void Abort()
    {
        const int Cancel = 8; // RFC 9113 section 7
        if (Http.Features.Get<IHttpResetFeature>() is { } reset)
            reset.Reset(Cancel);
        else
            Http.Abort();
    }
}

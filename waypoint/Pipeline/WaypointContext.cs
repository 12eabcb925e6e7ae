using System.Security.Claims;
using Mesh.Waypoint.Transport;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mesh.Waypoint.Pipeline;

/// <summary>
/// A request's context with its exchange as a field: every step asks for that, and a look-up among the features costs more than most steps. One per
/// connection (HTTP/2: per stream that Kestrel keeps), used again for the next request; nothing may keep it longer than the request lasts.
/// </summary>
internal sealed class WaypointContext : HttpContext
{
    private readonly DefaultHttpContext _inner = new();
    private Exchange? _exchange;
    private InboundConnection? _connection;

    /// <summary>Set by the first step.</summary>
    public Exchange Exchange
    {
        get => _exchange ?? throw new InvalidOperationException("the pipeline's first step did not run: there is no exchange for this request");
        set => _exchange = value;
    }

    /// <summary>Contexts do not change their connection.</summary>
    public InboundConnection Inbound => _connection ??= Features.Get<InboundConnection>()
        ?? throw new InvalidOperationException("a connection without tunnel facts reached the pipeline");

    public override IFeatureCollection Features => _inner.Features;

    public override HttpRequest Request => _inner.Request;

    public override HttpResponse Response => _inner.Response;

    public override ConnectionInfo Connection => _inner.Connection;

    public override WebSocketManager WebSockets => _inner.WebSockets;

    public override ClaimsPrincipal User
    {
        get => _inner.User;
        set => _inner.User = value;
    }

    public override IDictionary<object, object?> Items
    {
        get => _inner.Items;
        set => _inner.Items = value;
    }

    public override IServiceProvider RequestServices
    {
        get => _inner.RequestServices;
        set => _inner.RequestServices = value;
    }

    public override CancellationToken RequestAborted
    {
        get => _inner.RequestAborted;
        set => _inner.RequestAborted = value;
    }

    public override string TraceIdentifier
    {
        get => _inner.TraceIdentifier;
        set => _inner.TraceIdentifier = value;
    }

    public override ISession Session
    {
        get => _inner.Session;
        set => _inner.Session = value;
    }

    public override void Abort() => _inner.Abort();

    /// <summary>A new request begins.</summary>
    public void Begin(IFeatureCollection features) => _inner.Initialize(features);

    /// <summary>The request is over.</summary>
    public void End()
    {
        _exchange = null;
        _inner.Uninitialize();
    }
}

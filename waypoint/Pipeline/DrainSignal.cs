using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace Mesh.Waypoint.Pipeline;

/// <summary>
/// While it is set, each answer tells its client to go elsewhere: <c>connection: close</c> on HTTP/1, GOAWAY on HTTP/2. Connections that nobody uses
/// stay open: a request that is on its way to one is served and not lost, as it would be if it met a closed connection.
/// </summary>
internal sealed class DrainSignal
{
    private volatile bool _isSet;

    public void Set() => _isSet = true;

    public void Apply(HttpContext http)
    {
        if (_isSet)
            http.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
    }
}

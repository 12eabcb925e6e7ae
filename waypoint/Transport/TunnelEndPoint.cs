using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mesh.Waypoint.Transport;

/// <summary>
/// The name under which Kestrel "listens" for tunnelled connections of one protocol. There are two, because without TLS Kestrel takes an endpoint
/// for HTTP/1.1 or for HTTP/2, not for both; the sniffer tells them apart before.
/// </summary>
internal sealed class TunnelEndPoint(HttpProtocols protocol) : EndPoint
{
    public HttpProtocols Protocol { get; } = protocol;

    public override string ToString() => $"tunnels ({Protocol})";
}

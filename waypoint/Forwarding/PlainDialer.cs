using System.Net;
using System.Net.Sockets;
using Mesh.Waypoint.Balancing;

namespace Mesh.Waypoint.Forwarding;

/// <summary>Plain TCP, for endpoints outside the mesh.</summary>
internal sealed class PlainDialer : IUpstreamDialer
{
    public async ValueTask<Stream> DialAsync(EndpointState endpoint, DialContext context, TimeSpan timeout, CancellationToken cancellation)
    {
        EndPoint target = endpoint.Address is { } address
            ? new IPEndPoint(address, endpoint.Key.Port)
            : new DnsEndPoint(endpoint.Key.Address, endpoint.Key.Port);
        var socket = endpoint.Address is { } a
            ? new Socket(a.AddressFamily, SocketType.Stream, ProtocolType.Tcp)
            : new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.NoDelay = true;
        try
        {
            await socket.ConnectAsync(target, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            var failure = e.SocketErrorCode switch
            {
                SocketError.ConnectionRefused => DialFailure.Refused,
                SocketError.TimedOut => DialFailure.TimedOut,
                _ => DialFailure.Unreachable,
            };
            throw new DialException(failure, failure == DialFailure.Refused ? "Connection refused" : e.Message, e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

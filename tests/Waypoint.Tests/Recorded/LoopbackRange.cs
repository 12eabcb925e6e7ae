using System.Net;
using System.Net.Sockets;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>A second octet of 127.0.0.0/8 that no other scenario uses, in this process or another: scenarios name fixed addresses.</summary>
internal sealed class LoopbackRange : IDisposable
{
    // Below are the addresses of the fixtures themselves and of other tests.
    private const int First = 100;
    private const int Last = 249;

    private readonly Socket _held;
    private readonly byte _octet;

    private LoopbackRange(Socket held, byte octet)
    {
        _held = held;
        _octet = octet;
    }

    public static LoopbackRange Take()
    {
        var start = Random.Shared.Next(Last - First + 1);
        for (var i = 0; i <= Last - First; i++)
        {
            var octet = (byte)(First + ((start + i) % (Last - First + 1)));
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                // The kernel keeps it for one holder, and lets go of it with the process. Only who listens is alone: binding is shared, since .NET
                // sets SO_REUSEADDR.
                socket.Bind(new IPEndPoint(new IPAddress([127, octet, 255, 254]), 15008));
                socket.Listen(1);
                return new LoopbackRange(socket, octet);
            }
            catch (SocketException)
            {
                socket.Dispose();
            }
        }

        throw new InvalidOperationException("every range of loopback addresses is in use");
    }

    public IPAddress Map(IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        bytes[1] = _octet;
        return new IPAddress(bytes);
    }

    public void Dispose() => _held.Dispose();
}

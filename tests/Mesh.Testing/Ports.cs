using System.Net;
using System.Net.Sockets;

namespace Mesh.Testing;

/// <summary>Ports for programs that must be told where to listen before they do.</summary>
public static class Ports
{
    // Below the ports that the kernel gives to whoever asks for any (32768 in ip_local_port_range): none of a busy test's own connections can
    // come to lie on one between the choice and the program's start. Above those that are well known.
    private const int First = 17000;
    private const int Count = 15000;

    private static int s_next = Random.Shared.Next(Count);

    /// <summary>Not given twice by this process; free on the loopback addresses at the time of the call.</summary>
    public static int Unused()
    {
        for (var i = 0; i < Count; i++)
        {
            var port = First + (int)((uint)Interlocked.Increment(ref s_next) % Count);
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                // Only listening tells: .NET binds with SO_REUSEADDR, which a port that is merely bound allows.
                socket.Bind(new IPEndPoint(IPAddress.Any, port));
                socket.Listen(1);
                return port;
            }
            catch (SocketException)
            {
                // Somebody's.
            }
        }

        throw new InvalidOperationException($"every port from {First} to {First + Count - 1} is in use");
    }
}

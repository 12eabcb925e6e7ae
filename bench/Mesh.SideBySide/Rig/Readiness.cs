using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Mesh.SideBySide.Rig;

/// <summary>Asks until something answers 200, from inside a namespace.</summary>
internal static class Readiness
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    /// <summary>How long it took.</summary>
    public static async Task<TimeSpan> OfHttpAsync(Network network, string ns, string address, int port, string path, RigProcess? program, string? token = null)
    {
        using var inside = network.Open(ns);
        var watch = Stopwatch.StartNew();
        while (true)
        {
            if (TryOnce(inside, address, port, path, token))
                return watch.Elapsed;
            program?.ThrowIfEnded();
            if (watch.Elapsed > Deadline)
                throw new BenchException($"http://{address}:{port}{path} does not answer 200 after {Deadline.TotalSeconds} s");
            await Task.Delay(2);
        }
    }

    private static bool TryOnce(Net.NetworkNamespace inside, string address, int port, string path, string? token)
    {
        try
        {
            using var socket = inside.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 2000, SendTimeout = 2000 });
            socket.Connect(new IPEndPoint(IPAddress.Parse(address), port));
            var authorization = token is null ? string.Empty : $"Authorization: Bearer {token}\r\n";
            socket.Send(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: {address}\r\n{authorization}Connection: close\r\n\r\n"));
            var buffer = new byte[12];
            var length = 0;
            while (length < buffer.Length && socket.Receive(buffer.AsSpan(length)) is > 0 and var count)
                length += count;
            return Encoding.ASCII.GetString(buffer, 0, length).EndsWith(" 200", StringComparison.Ordinal);
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

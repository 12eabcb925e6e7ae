using System.Net;
using System.Net.Sockets;

using Mesh.Net;

namespace Mesh.EndToEnd.Tests.Harness;

/// <summary>A listener that gives bytes back, or passes them on to an address of another network namespace; null is the test's own.</summary>
internal sealed class Door : IDisposable
{
    private readonly Socket _listener;
    private readonly NetworkNamespace? _there;
    private readonly Func<IPEndPoint?>? _target;

    /// <param name="here">Where it listens.</param>
    /// <param name="address">What it listens on; port 0 is any that is free.</param>
    /// <param name="there">Where the target is.</param>
    /// <param name="target">Asked for each connection; null: there is nobody now. No function: bytes come back.</param>
    public Door(NetworkNamespace? here, IPEndPoint address, NetworkNamespace? there = null, Func<IPEndPoint?>? target = null)
    {
        (_there, _target) = (there, target);
        _listener = In(here, () =>
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(address);
            socket.Listen(128);
            return socket;
        });
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    public void Dispose() => _listener.Dispose();

    private static Socket In(NetworkNamespace? ns, Func<Socket> make) => ns is null ? make() : ns.Run(make);

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptAsync());
        }
        catch (Exception end) when (end is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using var near = new NetworkStream(socket, ownsSocket: true);
        try
        {
            if (_target is null)
            {
                await near.CopyToAsync(near);
                return;
            }
            if (_target() is not { } target)
                return;
            var remote = In(_there, () => new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
            using var far = new NetworkStream(await ConnectedAsync(remote, target), ownsSocket: true);
            await Task.WhenAny(near.CopyToAsync(far), far.CopyToAsync(near));
        }
        catch (Exception end) when (end is IOException or SocketException or ObjectDisposedException)
        {
            // One side has gone.
        }
    }

    private static async Task<Socket> ConnectedAsync(Socket socket, IPEndPoint target)
    {
        try
        {
            await socket.ConnectAsync(target);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

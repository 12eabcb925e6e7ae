using System.Net;
using System.Net.Sockets;
using Mesh.Hbone;

namespace Mesh.Waypoint.Tests.Harness;

/// <summary>Its entrance's connections, and a plain port in front of it.</summary>
internal sealed partial class HboneMesh
{
    private readonly List<TcpListener> _plain = [];

    public Task<int> TunnelConnectionsAsync() => _loop.InvokeAsync(() => _entrance!.ConnectionCount);

    public Task AnnounceDrainAsync() => _loop.InvokeAsync(() =>
    {
        _entrance!.Announce();
        return true;
    });

    /// <returns>Completes when the last tunnel connection has ended.</returns>
    public async Task<Task> CloseEntranceAsync()
    {
        await _loop.InvokeAsync(() =>
        {
            _entrance!.Drain();
            return true;
        });
        return _entrance!.Empty;
    }

    /// <summary>Each connection to the returned port becomes a tunnel to the service: programs that know no tunnels go through it.</summary>
    public IPEndPoint ListenPlain()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start(512);
        _plain.Add(listener);
        _ = AcceptPlainAsync(listener);
        return (IPEndPoint)listener.LocalEndpoint;
    }

    private async Task AcceptPlainAsync(TcpListener listener)
    {
        try
        {
            while (true)
                _ = CarryPlainAsync(await listener.AcceptSocketAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The mesh ends.
        }
    }

    private async Task CarryPlainAsync(Socket socket)
    {
        socket.NoDelay = true;
        await using var outside = new NetworkStream(socket, ownsSocket: true);
        if ((await TunnelAsync(OneService.Vip.ToString())).Stream is not TunnelStream inside)
            return;
        await using (inside)
        {
            var up = CopyAsync(outside, inside, inside.EndWrite);
            var down = CopyAsync(inside, outside, () => socket.Shutdown(SocketShutdown.Send));
            await Task.WhenAll(up, down);
        }

        static async Task CopyAsync(Stream from, Stream to, Action end)
        {
            try
            {
                await from.CopyToAsync(to);
                end();
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
            {
                await from.DisposeAsync();
                await to.DisposeAsync();
            }
        }
    }
}

using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Mesh.SideBySide.Load;

/// <summary>Microseconds.</summary>
internal sealed record LoadResult(long Requests, double P50, double P90, double P99, double P999, double Highest);

/// <summary>The generator as a command of its own: it runs inside the client's namespace.</summary>
internal static class LoadCommand
{
    public static async Task<int> RunAsync(LoadOptions options)
    {
        var url = new Uri(options.Url);
        var target = new IPEndPoint(IPAddress.Parse(url.Host), url.Port);
        if (options.Idle)
        {
            await HoldAsync(target, options.Connections);
            return 0;
        }

        var result = await new OpenLoop(target, url.PathAndQuery, options.Rate, options.Connections, TimeSpan.FromSeconds(options.Seconds)).RunAsync();
        Console.WriteLine(JsonSerializer.Serialize(result));
        return 0;
    }

    private static async Task HoldAsync(IPEndPoint target, int connections)
    {
        var sockets = new List<Socket>(connections);
        for (var i = 0; i < connections; i++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(target);
            sockets.Add(socket);
        }

        Console.WriteLine($"{sockets.Count} connections");
        await Console.In.ReadToEndAsync();
        foreach (var socket in sockets)
            socket.Dispose();
    }
}

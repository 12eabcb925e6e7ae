using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Mesh.SideBySide.Rig;

namespace Mesh.SideBySide.Growth;

/// <summary>More and more pods of one node: empty network namespaces in the list of an agent that serves a node.</summary>
internal sealed class NodePods : IAsyncDisposable
{
    private const int TunnelPort = 15008; // of every captured pod (reference ztunnel, section 1)
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    private readonly List<string> _namespaces = [];

    /// <summary>Returns when the agent listens inside the last of them; the pods that the list already holds stay.</summary>
    public async Task AddAsync(Setup setup, string list, int count)
    {
        var commands = string.Empty;
        for (var i = 1; i <= count; i++)
        {
            var name = $"meshbench{Environment.ProcessId}-p{i}";
            commands += $"netns add {name}\n";
            _namespaces.Add(name);
        }

        await Tool.RunAsync(["ip", "-batch", "-"], commands);
        foreach (var name in _namespaces)
            await Tool.RunAsync(Network.In(name, "ip", "link", "set", "lo", "up"));
        using var known = JsonDocument.Parse(await File.ReadAllTextAsync(list));
        var all = known.RootElement.EnumerateArray().Select(p => p.GetRawText())
            .Concat(_namespaces.Select(n => $$"""{"uid":"uid-{{n}}","name":"{{n}}","namespace":"default","serviceAccount":"{{n}}","networkNamespace":"/run/netns/{{n}}"}"""));
        await File.WriteAllTextAsync(list, $"[{string.Join(",\n", all)}]");
        var watch = Stopwatch.StartNew();
        foreach (var name in _namespaces)
        {
            using var inside = setup.Network.Open(name);
            while (!Listens(inside))
            {
                if (watch.Elapsed > s_deadline)
                    throw new BenchException($"the agent does not listen in {name} after {s_deadline.TotalSeconds} s");
                await Task.Delay(10);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var name in _namespaces)
            await Tool.RunAsync(["ip", "netns", "del", name]);
    }

    private static bool Listens(Net.NetworkNamespace inside)
    {
        try
        {
            using var socket = inside.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            socket.Connect(new IPEndPoint(IPAddress.Loopback, TunnelPort));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>All instances of a scenario, each on its own loopback address, answering as the script of the current step says.</summary>
internal sealed class ScriptedInstances : IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly Dictionary<string, Instance> _instances = [];

    public ScriptedInstances(Scenario scenario, Func<IPAddress, IPAddress> map)
    {
        foreach (var node in scenario.Instances)
        {
            var address = map(IPAddress.Parse((string)node["ip"]!));
            var instance = new Instance((string)node["name"]!, address, (int)node["port"]!, (string?)node["proto"] == "h2c") { State = (string?)node["state"] ?? "up" };
            // Two ports of one pod share its name; the fixtures address the instance, not the port.
            _instances[$"{instance.Name}:{instance.Port}"] = instance;
            if (instance.State != "refused")
                Listen(instance);
        }
    }

    public InstanceLog Log { get; } = new();

    public async Task SetStateAsync(string name, string state)
    {
        foreach (var instance in _instances.Values.Where(i => i.Name == name))
        {
            instance.State = state;
            if (state == "refused")
            {
                instance.Listener?.Stop();
                instance.Listener = null;
                foreach (var socket in instance.Open.Keys)
                    socket.Dispose();
            }
            else if (instance.Listener is null)
            {
                Listen(instance);
            }
        }

        // As the recorder did: the proxy sees closed connections before the next request.
        await Task.Delay(50);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        foreach (var instance in _instances.Values)
        {
            instance.Listener?.Stop();
            foreach (var socket in instance.Open.Keys)
                socket.Dispose();
        }
    }

    private void Listen(Instance instance)
    {
        instance.Listener = new TcpListener(instance.Address, instance.Port);
        instance.Listener.Server.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        instance.Listener.Start(1024);
        _ = AcceptAsync(instance, instance.Listener);
    }

    private async Task AcceptAsync(Instance instance, TcpListener listener)
    {
        try
        {
            while (true)
            {
                var socket = await listener.AcceptSocketAsync(_end.Token);
                socket.NoDelay = true;
                if (instance.State is "accept-close" or "accept-reset")
                {
                    if (instance.State == "accept-reset")
                        socket.LingerState = new LingerOption(enable: true, 0);
                    socket.Dispose();
                    continue;
                }

                instance.Open[socket] = true;
                _ = ServeAsync(instance, socket);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The instance is switched off.
        }
    }

    private async Task ServeAsync(Instance instance, Socket socket)
    {
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            if (instance.IsHttp2)
                await new ScriptedHttp2(instance.Name, socket, stream, Log).ServeAsync(_end.Token);
            else
                await new ScriptedHttp1(instance.Name, socket, stream, Log).ServeAsync(_end.Token);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // The proxy closed, or the test is over.
        }
        finally
        {
            instance.Open.TryRemove(socket, out _);
            socket.Dispose();
        }
    }

    private sealed class Instance(string name, IPAddress address, int port, bool isHttp2)
    {
        public string Name { get; } = name;

        public IPAddress Address { get; } = address;

        public int Port { get; } = port;

        public bool IsHttp2 { get; } = isHttp2;

        public string State { get; set; } = "up";

        public TcpListener? Listener { get; set; }

        public ConcurrentDictionary<Socket, bool> Open { get; } = new();
    }
}

using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>All instances of a scenario, each on its own loopback address, answering as the script of the current step says.</summary>
internal sealed class ScriptedInstances : IAsyncDisposable
{
    private readonly Func<IPAddress, IPAddress> _map;
    private readonly CancellationTokenSource _end = new();
    private readonly Dictionary<string, Instance> _instances = [];
    private readonly ConcurrentDictionary<(string Case, string Seq), List<Attempt>> _received = new();
    private volatile JsonNode? _script;

    public ScriptedInstances(Scenario scenario, Func<IPAddress, IPAddress> map)
    {
        _map = map;
        foreach (var node in scenario.Instances.Where(i => (string?)i["proto"] != "h2c"))
        {
            var instance = new Instance((string)node["name"]!, _map(IPAddress.Parse((string)node["ip"]!)), (int)node["port"]!) { State = (string?)node["state"] ?? "up" };
            // Two ports of one pod share its name; the fixtures address the instance, not the port.
            _instances[$"{instance.Name}:{instance.Port}"] = instance;
            if (instance.State != "refused")
                Listen(instance);
        }
    }

    public void Script(JsonNode? script)
    {
        _script = script;
        _received.Clear();
    }

    public List<Attempt> Take(string @case, string seq) => _received.TryGetValue((@case, seq), out var list) ? [.. list] : [];

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
            var reader = new Http1(stream);
            while (await reader.LineAsync(_end.Token) is { Length: > 0 } line)
            {
                var parts = line.Split(' ');
                var headers = await reader.HeadersAsync(_end.Token);
                var attempt = Note(instance, parts[0], parts[1], headers, out var action);
                await SendInterimAsync(stream, action);
                await ReadBodyAsync(reader, attempt, headers);
                if (!await AnswerAsync(stream, socket, attempt, action))
                    return;
            }
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

    private Attempt Note(Instance instance, string method, string path, List<(string Name, string Value)> headers, out JsonNode action)
    {
        string Of(string name) => headers.Where(h => h.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(h => h.Value).FirstOrDefault() ?? "?";
        var list = _received.GetOrAdd((Of("x-case"), Of("x-seq")), _ => []);
        lock (list)
        {
            var attempt = new Attempt(instance.Name, list.Count + 1, method, path, [.. headers.Where(h => h.Name.ToLowerInvariant() is not ("x-case" or "x-seq"))]);
            list.Add(attempt);
            action = Action(attempt) ?? new JsonObject();
            return attempt;
        }
    }

    private JsonNode? Action(Attempt attempt)
    {
        var byInstance = _script?["instances"];
        if ((byInstance?[attempt.Instance] ?? byInstance?[attempt.Group]) is { } own)
            return own is JsonArray list ? list[Math.Min(attempt.Number, list.Count) - 1] : own;
        return _script?["attempts"] is JsonArray attempts ? attempts[Math.Min(attempt.Number, attempts.Count) - 1] : null;
    }

    private async Task ReadBodyAsync(Http1 reader, Attempt attempt, List<(string Name, string Value)> headers)
    {
        foreach (var (name, value) in headers)
        {
            if (name.Equals("transfer-encoding", StringComparison.OrdinalIgnoreCase))
            {
                attempt.Framing = "chunked";
                attempt.BodyLength = (await reader.ChunkedAsync(_end.Token)).Length;
            }
            else if (name.Equals("content-length", StringComparison.OrdinalIgnoreCase))
            {
                attempt.Framing = "content-length";
                attempt.BodyLength = (await reader.ExactlyAsync(int.Parse(value, System.Globalization.CultureInfo.InvariantCulture), _end.Token)).Length;
            }
        }
    }

    private async Task<bool> AnswerAsync(Stream stream, Socket socket, Attempt attempt, JsonNode action)
    {
        await Task.Delay((int?)action["delay_ms"] ?? 0, _end.Token);
        switch ((string?)action["fail"])
        {
            case "reset":
                socket.LingerState = new LingerOption(enable: true, 0);
                return false;
            case "close":
                return false;
            case "hang":
                await Task.Delay(Timeout.Infinite, _end.Token);
                return false;
        }

        if (action["raw"] is { } raw)
        {
            await stream.WriteAsync(Encoding.Latin1.GetBytes((string)raw!), _end.Token);
            return action["raw_then"] is null;
        }

        var host = attempt.Headers.Where(h => h.Name.Equals("host", StringComparison.OrdinalIgnoreCase)).Select(h => h.Value).FirstOrDefault();
        var echo = $$"""{"instance":"{{attempt.Instance}}","attempt":{{attempt.Number}},"method":"{{attempt.Method}}","path":"{{attempt.Path.Replace("\\", "\\\\", StringComparison.Ordinal)}}","host":"{{host}}","body_length":{{attempt.BodyLength}}}""";
        var hasOwnBody = action["body"] is not null || action["body_size"] is not null;
        var body = action["body_size"] is { } size ? new string('x', (int)size) : action["body"] is { } own ? Scenario.Expand(own)! : echo;
        var status = (int?)action["status"] ?? 200;
        var head = new StringBuilder($"HTTP/1.1 {status} {(string?)action["reason"] ?? "X"}\r\n");
        var scripted = Scenario.Headers(action["headers"]).ToList();
        foreach (var (name, value) in scripted)
            head.Append(name).Append(": ").Append(value).Append("\r\n");
        bool Has(string name) => scripted.Exists(h => h.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        if (!hasOwnBody && action["switch"] is null && !Has("content-type"))
            head.Append("Content-Type: application/json\r\n");
        var noBody = attempt.Method == "HEAD" || status is 204 or 304;
        var chunked = (bool?)action["chunked"] == true || action["trailers"] is not null;
        if (chunked)
            head.Append("Transfer-Encoding: chunked\r\n");
        var partial = (string?)action["fail"] == "partial";
        var switches = (bool?)action["switch"] == true;
        if (status is not 204 && !switches && !chunked && (bool?)action["no_length"] != true && !Has("content-length"))
            head.Append("Content-Length: ").Append(body.Length + (partial ? 100 : 0)).Append("\r\n");
        head.Append("\r\n");
        if (switches)
            head.Replace("HTTP/1.1 200", "HTTP/1.1 101");
        await stream.WriteAsync(Encoding.Latin1.GetBytes(head.ToString()), _end.Token);
        if (switches)
            return await EchoOnceAsync(stream);
        if (noBody)
            return true;
        await Task.Delay((int?)action["body_delay_ms"] ?? 0, _end.Token);
        var trailers = string.Concat(Scenario.Headers(action["trailers"]).Select(h => $"{h.Name}: {h.Value}\r\n"));
        var bytes = Encoding.Latin1.GetBytes(chunked ? $"{body.Length:x}\r\n{body}\r\n0\r\n{trailers}\r\n" : body);
        await stream.WriteAsync(bytes, _end.Token);
        return !partial && action["close_after"] is null;
    }

    // Before the body is read: a client that expects 100 sends it only then.
    private async Task SendInterimAsync(Stream stream, JsonNode action)
    {
        foreach (var interim in action["informational"] as JsonArray ?? [])
        {
            var lines = string.Concat(Scenario.Headers(interim![1]).Select(h => $"{h.Name}: {h.Value}\r\n"));
            await stream.WriteAsync(Encoding.Latin1.GetBytes($"HTTP/1.1 {(int)interim[0]!} X\r\n{lines}\r\n"), _end.Token);
        }
    }

    private async Task<bool> EchoOnceAsync(Stream stream)
    {
        var buffer = new byte[1024];
        var count = await stream.ReadAsync(buffer, _end.Token);
        await stream.WriteAsync(Encoding.Latin1.GetBytes("echo:" + Encoding.Latin1.GetString(buffer, 0, count)), _end.Token);
        return false;
    }

    private sealed class Instance(string name, IPAddress address, int port)
    {
        public string Name { get; } = name;

        public IPAddress Address { get; } = address;

        public int Port { get; } = port;

        public string State { get; set; } = "up";

        public TcpListener? Listener { get; set; }

        public ConcurrentDictionary<Socket, bool> Open { get; } = new();
    }
}

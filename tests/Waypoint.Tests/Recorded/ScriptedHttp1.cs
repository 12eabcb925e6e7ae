using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>One HTTP/1.1 connection of an instance.</summary>
internal sealed class ScriptedHttp1(string instance, Socket socket, Stream stream, InstanceLog log)
{
    // After an early answer the connection stays this long, with its body unread, as the recorded application did.
    private static readonly TimeSpan EarlyLinger = TimeSpan.FromMilliseconds(500);

    private readonly Http1 _reader = new(stream);

    public async Task ServeAsync(CancellationToken end)
    {
        while (await _reader.LineAsync(end) is { Length: > 0 } line)
        {
            var parts = line.Split(' ', 3);
            var headers = await _reader.HeadersAsync(end);
            var (attempt, action) = log.Note(instance, parts.Length > 2 ? parts[2] : string.Empty, parts[0], parts.Length > 1 ? parts[1] : string.Empty, headers);
            var early = (bool?)action["early"] == true;
            await SendInterimAsync(action, end);
            if (!early)
                await ReadBodyAsync(attempt, end);
            var goesOn = await AnswerAsync(attempt, action, end);
            if (early)
                await Task.Delay(EarlyLinger, end);
            if (!goesOn || early)
                return;
        }
    }

    private async Task ReadBodyAsync(Attempt attempt, CancellationToken end)
    {
        if (attempt.Header("transfer-encoding") is not null)
        {
            attempt.Framing = "chunked";
            attempt.SetBody(Encoding.Latin1.GetString(await _reader.ChunkedAsync(attempt.Trailers, end)));
        }
        else if (attempt.Header("content-length") is { } length)
        {
            attempt.Framing = "content-length";
            attempt.SetBody(Encoding.Latin1.GetString(await _reader.ExactlyAsync(int.Parse(length, CultureInfo.InvariantCulture), end)));
        }
    }

    private async Task<bool> AnswerAsync(Attempt attempt, JsonNode action, CancellationToken end)
    {
        await Task.Delay((int?)action["delay_ms"] ?? 0, end);
        switch ((string?)action["fail"])
        {
            case "reset":
                socket.LingerState = new LingerOption(enable: true, 0);
                return false;
            case "close":
                return false;
            case "hang":
                await Task.Delay(Timeout.Infinite, end);
                return false;
        }

        if (action["raw"] is { } raw)
        {
            await stream.WriteAsync(Encoding.Latin1.GetBytes((string)raw!), end);
            return action["raw_then"] is null;
        }

        var status = (int?)action["status"] ?? 200;
        var body = action["body"] is { } own ? Scenario.Expand(own)! : action["body_size"] is { } size ? new string('x', (int)size) : InstanceLog.Echo(attempt);
        var chunked = (bool?)action["chunked"] == true || action["trailers"] is not null;
        var partial = (string?)action["fail"] == "partial";
        var switches = action["switch"] is not null;
        await stream.WriteAsync(Encoding.Latin1.GetBytes(Head(action, switches ? 101 : status, body.Length + (partial ? 100 : 0), chunked, switches)), end);
        if (switches)
            return await EchoAsync(end);
        await Task.Delay((int?)action["body_delay_ms"] ?? 0, end);
        if (attempt.Method != "HEAD" && status is not (204 or 304))
        {
            var trailers = string.Concat(Scenario.Headers(action["trailers"]).Select(h => $"{h.Name}: {h.Value}\r\n"));
            var chunk = body.Length == 0 ? string.Empty : $"{body.Length:x}\r\n{body}\r\n";
            await stream.WriteAsync(Encoding.Latin1.GetBytes(chunked ? $"{chunk}0\r\n{trailers}\r\n" : body), end);
        }

        return !partial && action["close_after"] is null && action["no_length"] is null;
    }

    private static string Head(JsonNode action, int status, int length, bool chunked, bool switches)
    {
        var scripted = Scenario.Headers(action["headers"]).ToList();
        bool Has(string name) => scripted.Exists(h => h.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        var head = new StringBuilder($"HTTP/1.1 {status} {(string?)action["reason"] ?? "X"}\r\n");
        foreach (var (name, value) in scripted)
            head.Append(name).Append(": ").Append(value).Append("\r\n");
        if (!switches && action["body"] is null && action["body_size"] is null && !Has("content-type"))
            head.Append("content-type: application/json\r\n");
        if (chunked)
            head.Append("transfer-encoding: chunked\r\n");
        else if (!switches && status != 204 && action["no_length"] is null && !Has("content-length"))
            head.Append("content-length: ").Append(length).Append("\r\n");
        if (action["close_after"] is not null)
            head.Append("connection: close\r\n");
        return head.Append("\r\n").ToString();
    }

    // Before the body is read: a client that expects 100 sends it only then.
    private async Task SendInterimAsync(JsonNode action, CancellationToken end)
    {
        foreach (var interim in action["informational"] as JsonArray ?? [])
        {
            var lines = string.Concat(Scenario.Headers(interim![1]).Select(h => $"{h.Name}: {h.Value}\r\n"));
            await stream.WriteAsync(Encoding.Latin1.GetBytes($"HTTP/1.1 {(int)interim[0]!} X\r\n{lines}\r\n"), end);
        }
    }

    private async Task<bool> EchoAsync(CancellationToken end)
    {
        while (await _reader.SomeAsync(end) is { Length: > 0 } bytes)
            await stream.WriteAsync(Encoding.Latin1.GetBytes("echo:" + Encoding.Latin1.GetString(bytes)), end);
        return false;
    }
}

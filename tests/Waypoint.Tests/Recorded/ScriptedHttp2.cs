using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>One HTTP/2 connection of an instance, with prior knowledge.</summary>
internal sealed class ScriptedHttp2(string instance, Socket socket, Stream stream, InstanceLog log)
{
    private readonly Dictionary<uint, (Attempt Attempt, JsonNode Action, StringBuilder Body)> _requests = [];

    public async Task ServeAsync(CancellationToken end)
    {
        using var wire = new Http2Wire(stream);
        await wire.WriteAsync(Http2Wire.Frame("SETTINGS", 0, 0, [0, 3, .. Http2Wire.BigEndian(100)]), end);
        while (await wire.ReadAsync(end) is { } frame)
        {
            if (frame.Type == "RST_STREAM")
                _requests.Remove(frame.StreamId);
            else if (frame.Headers is { } headers && !_requests.ContainsKey(frame.StreamId))
                Begin(frame.StreamId, headers);
            else if (frame.Headers is { } trailers)
                _requests[frame.StreamId].Attempt.Trailers.AddRange(trailers.AsSpan().ToArray().Select(f => (f.Name, f.Value)));
            else if (frame.Type == "DATA" && _requests.TryGetValue(frame.StreamId, out var receiving))
                receiving.Body.Append(frame.Text);
            if (frame.EndStream && _requests.Remove(frame.StreamId, out var request))
            {
                request.Attempt.SetBody(request.Body.ToString());
                _ = AnswerAsync(wire, frame.StreamId, request.Attempt, request.Action, end);
            }
        }
    }

    private void Begin(uint id, Mesh.Http2.HeaderList headers)
    {
        var fields = headers.AsSpan().ToArray().Select(f => (f.Name, f.Value)).ToList();
        var (attempt, action) = log.Note(instance, "HTTP/2", headers.Method ?? string.Empty, headers.Path ?? string.Empty, fields);
        attempt.Framing = "h2";
        _requests[id] = (attempt, action, new StringBuilder());
    }

    private async Task AnswerAsync(Http2Wire wire, uint id, Attempt attempt, JsonNode action, CancellationToken end)
    {
        try
        {
            await Task.Delay((int?)action["delay_ms"] ?? 0, end);
            switch ((string?)action["fail"])
            {
                case "hang":
                    return;
                case "reset":
                    socket.LingerState = new LingerOption(enable: true, 0);
                    socket.Dispose();
                    return;
                case "close":
                    socket.Dispose();
                    return;
                case { } reset:
                    await wire.WriteAsync(Http2Wire.Reset(id, reset switch { "rst-refused" => 7, "rst-cancel" => 8, _ => 2 }), end);
                    return;
            }

            var status = ((int?)action["status"] ?? 200).ToString(CultureInfo.InvariantCulture);
            if (action["grpc"] is { } grpc)
                await AnswerGrpcAsync(wire, id, action, grpc, status, end);
            else
                await AnswerPlainAsync(wire, id, attempt, action, status, end);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // The proxy closed, or the test is over.
        }
    }

    private static async Task AnswerGrpcAsync(Http2Wire wire, uint id, JsonNode action, JsonNode grpc, string status, CancellationToken end)
    {
        List<(string, string)> headers = [(":status", status), ("content-type", "application/grpc"), .. Scenario.Headers(action["headers"])];
        List<(string, string)> trailers = [("grpc-status", ((int?)grpc["status"] ?? 0).ToString(CultureInfo.InvariantCulture))];
        if ((string?)grpc["message"] is { Length: > 0 } message)
            trailers.Add(("grpc-message", message));
        if ((bool?)grpc["trailers_only"] == true)
        {
            await wire.WriteAsync(Http2Wire.Headers(id, [.. headers, .. trailers], end: true), end);
            return;
        }

        await wire.WriteAsync(Http2Wire.Headers(id, headers, end: false), end);
        await Task.Delay((int?)action["body_delay_ms"] ?? 0, end);
        var data = Encoding.UTF8.GetBytes((string?)grpc["data"] ?? "hello");
        var prefix = new byte[5];
        BinaryPrimitives.WriteInt32BigEndian(prefix.AsSpan(1), data.Length);
        await wire.WriteAsync((byte[])[.. Http2Wire.Data(id, (byte[])[.. prefix, .. data], end: false), .. Http2Wire.Headers(id, trailers, end: true)], end);
    }

    private static async Task AnswerPlainAsync(Http2Wire wire, uint id, Attempt attempt, JsonNode action, string status, CancellationToken end)
    {
        var body = Encoding.Latin1.GetBytes(action["body"] is { } own ? Scenario.Expand(own)! : InstanceLog.Echo(attempt));
        List<(string, string)> headers = [(":status", status), .. Scenario.Headers(action["headers"])];
        if (action["body"] is null)
            headers.Add(("content-type", "application/json"));
        var trailers = Scenario.Headers(action["trailers"]).ToList();
        List<byte> answer = [.. Http2Wire.Headers(id, headers, end: body.Length == 0 && trailers.Count == 0)];
        if (body.Length > 0 || trailers.Count > 0)
            answer.AddRange(Http2Wire.Data(id, body, end: trailers.Count == 0));
        if (trailers.Count > 0)
            answer.AddRange(Http2Wire.Headers(id, trailers, end: true));
        await wire.WriteAsync(answer.ToArray(), end);
    }
}

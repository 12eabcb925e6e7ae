using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>The recorded client's HTTP/2: one request on a connection of its own, with prior knowledge.</summary>
internal static class Http2Client
{
    private static readonly byte[] Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    public static async Task<Seen> SendAsync(Stream stream, JsonNode request, string host, string @case, int seq)
    {
        var seen = new Seen();
        using var patience = new CancellationTokenSource((int?)request["timeout_ms"] ?? 15000);
        using var wire = new Http2Wire(stream);
        var body = Scenario.Expand(request["body"]);
        var isGrpc = (bool?)request["grpc"] == true;
        if (isGrpc)
            body ??= "\0\0\0\0\u0002hi";
        List<(string Name, string Value)> fields =
        [
            (":method", isGrpc ? "POST" : (string?)request["method"] ?? "GET"),
            (":scheme", (string?)request["scheme"] ?? "http"),
            (":authority", (string?)request["host"] ?? host),
            (":path", (string?)request["path"] ?? "/"),
        ];
        if (isGrpc)
            fields.AddRange([("content-type", "application/grpc"), ("te", "trailers")]);
        fields.AddRange([("x-case", @case), ("x-seq", seq.ToString(CultureInfo.InvariantCulture)), .. Scenario.Headers(request["headers"])]);
        var trailers = Scenario.Headers(request["trailers"]).ToList();
        var received = new StringBuilder();
        try
        {
            await wire.WriteAsync(Message(fields, body, trailers), patience.Token);
            while (seen.Error is null && seen.Reset is null)
            {
                if (await wire.ReadAsync(patience.Token) is not { } frame)
                {
                    seen.Error = "closed";
                    break;
                }

                if (frame.StreamId != 1)
                    continue;
                if (frame.Type == "RST_STREAM")
                    seen.Reset = (int)frame.ErrorCode;
                else if (frame.Type == "DATA")
                    received.Append(frame.Text);
                else if (frame.Headers is { } headers)
                    Take(seen, headers);
                if (frame.EndStream)
                    break;
            }

            seen.Version = seen.Error is null ? "HTTP/2" : null;
        }
        catch (OperationCanceledException)
        {
            seen.Error = "timeout";
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            seen.Error = "closed";
        }

        seen.SetBody(received.ToString());
        return seen;
    }

    private static byte[] Message(List<(string Name, string Value)> fields, string? body, List<(string Name, string Value)> trailers)
    {
        var message = new List<byte>(Preface);
        message.AddRange(Http2Wire.Frame("SETTINGS", 0, 0, []));
        message.AddRange(Http2Wire.Headers(1, fields, end: body is null));
        if (body is not null)
            message.AddRange(Http2Wire.Data(1, Encoding.Latin1.GetBytes(body), end: trailers.Count == 0));
        if (trailers.Count > 0)
            message.AddRange(Http2Wire.Headers(1, trailers, end: true));
        return [.. message];
    }

    private static void Take(Seen seen, Mesh.Http2.HeaderList headers)
    {
        if (seen.Status is not null)
        {
            foreach (var field in headers)
                seen.Trailers.Add((field.Name, field.Value));
        }
        else if (headers.Status is >= 100 and < 200)
        {
            seen.Interim.Add(headers.Status);
        }
        else
        {
            seen.Status = headers.Status;
            foreach (var field in headers)
            {
                if (field.Name != ":status")
                    seen.Headers.Add((field.Name, field.Value));
            }
        }
    }
}

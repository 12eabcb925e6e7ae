using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>Sends one recorded request over HTTP/1.1 and says what came back.</summary>
internal static class RecordedClient
{
    public static async Task<Seen> SendAsync(IPEndPoint entry, JsonNode request, string host, string @case, int seq)
    {
        var seen = new Seen();
        using var patience = new CancellationTokenSource((int?)request["timeout_ms"] ?? 15000);
        using var client = new TcpClient { NoDelay = true };
        try
        {
            await client.ConnectAsync(entry, patience.Token);
            var stream = client.GetStream();
            var method = (string?)request["method"] ?? "GET";
            var body = Scenario.Expand(request["body"]);
            var chunked = (bool?)request["chunked"] == true;
            var head = new StringBuilder($"{method} {(string?)request["path"] ?? "/"} HTTP/1.1\r\n");
            head.Append("Host: ").Append((string?)request["host"] ?? host).Append("\r\nx-case: ").Append(@case).Append("\r\nx-seq: ").Append(seq).Append("\r\n");
            foreach (var (name, value) in Scenario.Headers(request["headers"]))
                head.Append(name).Append(": ").Append(value).Append("\r\n");
            if (chunked)
                head.Append("Transfer-Encoding: chunked\r\n");
            else if (body is not null)
                head.Append("Content-Length: ").Append(body.Length).Append("\r\n");
            head.Append("\r\n");
            await stream.WriteAsync(Encoding.Latin1.GetBytes(head.ToString()), patience.Token);
            var continued = new TaskCompletionSource();
            if ((bool?)request["expect_continue"] != true)
                continued.SetResult();
            var sending = SendBodyAsync(stream, request, body, chunked, continued.Task, patience.Token);
            if (request["abort_after_ms"] is { } abort)
            {
                await Task.Delay((int)abort);
                seen.Error = "client-aborted";
                return seen;
            }

            var reader = new Http1(stream);
            try
            {
                await ReadAsync(reader, method, seen, continued, patience.Token);
            }
            catch (EndOfStreamException)
            {
                seen.Body = Encoding.Latin1.GetString(reader.Partial);
                throw;
            }

            await sending;
            if (seen.Status == 101 && request["after_upgrade"] is { } after)
            {
                await stream.WriteAsync(Encoding.Latin1.GetBytes((string)after!), patience.Token);
                seen.TunnelReply = Encoding.Latin1.GetString(await reader.SomeAsync(patience.Token));
            }
        }
        catch (OperationCanceledException)
        {
            seen.Error ??= "timeout";
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            seen.Error ??= seen.Status is null ? "closed" : "closed-in-body";
        }

        return seen;
    }

    private static async Task SendBodyAsync(Stream stream, JsonNode request, string? body, bool chunked, Task continued, CancellationToken cancellation)
    {
        if (body is null)
            return;
        await continued.WaitAsync(cancellation);
        await Task.Delay((int?)request["body_after_ms"] ?? 0, cancellation);
        var bytes = Encoding.Latin1.GetBytes(chunked ? $"{body.Length:x}\r\n{body}\r\n0\r\n\r\n" : body);
        try
        {
            await stream.WriteAsync(bytes, cancellation);
        }
        catch (IOException)
        {
            // The proxy has answered and closed; the answer is what counts.
        }
    }

    private static async Task ReadAsync(Http1 reader, string method, Seen seen, TaskCompletionSource continued, CancellationToken cancellation)
    {
        while (true)
        {
            var line = await reader.LineAsync(cancellation) ?? throw new EndOfStreamException();
            seen.Status = int.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
            seen.Headers.Clear();
            seen.Headers.AddRange(await reader.HeadersAsync(cancellation));
            if (seen.Status is not (100 or 103))
                break;
            continued.TrySetResult();
        }

        if (method == "HEAD" || seen.Status is 204 or 304 or 101)
            return;
        byte[] body;
        if (seen.Header("transfer-encoding") is not null)
        {
            body = await reader.ChunkedAsync(cancellation);
        }
        else if (seen.Header("content-length") is { } length)
        {
            body = await reader.ExactlyAsync(int.Parse(length, CultureInfo.InvariantCulture), cancellation);
        }
        else
        {
            using var all = new MemoryStream();
            while (await reader.SomeAsync(cancellation) is { Length: > 0 } piece)
                all.Write(piece);
            body = all.ToArray();
        }

        seen.BodyLength = body.Length;
        seen.Body = Encoding.Latin1.GetString(body.AsSpan(0, Math.Min(body.Length, body.Length > 2000 ? 200 : 2000)));
    }
}

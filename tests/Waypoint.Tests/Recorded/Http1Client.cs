using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>A connection of the recorded client that speaks HTTP/1.1: one request after the other, or bytes as they are.</summary>
internal sealed class Http1Client(Stream stream) : IAsyncDisposable
{
    // Long enough for a second answer or an end that should not come to show itself.
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(40);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly Http1 _reader = new(stream);

    public ValueTask DisposeAsync() => stream.DisposeAsync();

    public async Task<Seen> SendAsync(JsonNode request, string host, string @case, int seq)
    {
        var seen = new Seen();
        using var patience = new CancellationTokenSource(request["timeout_ms"] is { } limit ? TimeSpan.FromMilliseconds((int)limit) : Patience);
        try
        {
            var method = (string?)request["method"] ?? "GET";
            var body = Scenario.Expand(request["body"]);
            var chunked = (bool?)request["chunked"] == true;
            var head = new StringBuilder($"{method} {(string?)request["path"] ?? "/"} {(string?)request["version"] ?? "HTTP/1.1"}\r\n");
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
            var sending = SendBodyAsync(request, body, chunked, continued.Task, patience.Token);
            if (request["abort_after_ms"] is { } abort)
            {
                await Task.Delay((int)abort);
                seen.Error = "client-aborted";
                return seen;
            }

            await ReadAsync(method, seen, continued, patience.Token);
            await sending;
            if (seen.Status == 101 && request["after_upgrade"] is { } after)
            {
                await stream.WriteAsync(Encoding.Latin1.GetBytes((string)after!), patience.Token);
                seen.TunnelReply = Encoding.Latin1.GetString(await _reader.SomeAsync(patience.Token));
            }
        }
        catch (OperationCanceledException)
        {
            seen.Error ??= "timeout";
        }
        catch (Exception e) when (e is IOException or SocketException or FormatException)
        {
            seen.Error ??= seen.Status is null ? "closed" : "closed-in-body";
        }

        return seen;
    }

    /// <summary>Bytes as they are, then every response until nothing more is expected.</summary>
    public async Task<Seen> SendRawAsync(JsonNode request, JsonNode recorded, string @case)
    {
        var seen = new Seen { Responses = [] };
        string Filled(JsonNode raw) => ((string)raw!).Replace("{CASE}", @case, StringComparison.Ordinal).Replace("{SEQ}", "0", StringComparison.Ordinal);
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            await stream.WriteAsync(Encoding.Latin1.GetBytes(Filled(request["raw"]!)), patience.Token);
            foreach (var more in request["raw_more"] as JsonArray ?? [])
            {
                await Task.Delay((int)more!["after_ms"]!);
                await stream.WriteAsync(Encoding.Latin1.GetBytes(Filled(more["raw"]!)), patience.Token);
            }

            var expected = recorded["responses"]!.AsArray().Count;
            while (true)
            {
                // All that was recorded has come: whatever else there is comes at once, or the end that was recorded comes in time.
                if (seen.Responses.Count == expected && (string?)recorded["connection"] == "open")
                    patience.CancelAfter(Grace);
                var one = new Seen();
                await ReadAsync("GET", one, new TaskCompletionSource(), patience.Token);
                seen.Responses.Add(one);
                seen.Status ??= one.Status;
            }
        }
        catch (OperationCanceledException)
        {
            seen.Connection = "open";
        }
        catch (Exception e) when (e is IOException or SocketException or FormatException)
        {
            seen.Connection = "closed";
        }

        return seen;
    }

    private async Task SendBodyAsync(JsonNode request, string? body, bool chunked, Task continued, CancellationToken cancellation)
    {
        if (body is null)
            return;
        await continued.WaitAsync(cancellation);
        await Task.Delay((int?)request["body_after_ms"] ?? 0, cancellation);
        var trailers = string.Concat(Scenario.Headers(request["trailers"]).Select(h => $"{h.Name}: {h.Value}\r\n"));
        var chunk = body.Length == 0 ? string.Empty : $"{body.Length:x}\r\n{body}\r\n";
        try
        {
            await stream.WriteAsync(Encoding.Latin1.GetBytes(chunked ? $"{chunk}0\r\n{trailers}\r\n" : body), cancellation);
        }
        catch (IOException)
        {
            // The proxy has answered and closed; the answer is what counts.
        }
    }

    private async Task ReadAsync(string method, Seen seen, TaskCompletionSource continued, CancellationToken cancellation)
    {
        while (true)
        {
            var line = await _reader.LineAsync(cancellation) ?? throw new EndOfStreamException();
            var parts = line.Split(' ');
            var status = int.Parse(parts.Length > 1 ? parts[1] : line, CultureInfo.InvariantCulture);
            var headers = await _reader.HeadersAsync(cancellation);
            if (status is >= 100 and < 200 and not 101)
            {
                seen.Interim.Add(status);
                continued.TrySetResult();
                continue;
            }

            (seen.Status, seen.Version) = (status, parts[0]);
            seen.Headers.AddRange(headers);
            break;
        }

        try
        {
            seen.SetBody(Encoding.Latin1.GetString(await ReadBodyAsync(method, seen, cancellation)));
        }
        catch (EndOfStreamException)
        {
            seen.SetBody(Encoding.Latin1.GetString(_reader.Partial));
            throw;
        }
    }

    private async Task<byte[]> ReadBodyAsync(string method, Seen seen, CancellationToken cancellation)
    {
        if (method == "HEAD" || seen.Status is 204 or 304 or 101)
            return [];
        if (seen.Header("transfer-encoding") is not null)
            return await _reader.ChunkedAsync(seen.Trailers, cancellation);
        if (seen.Header("content-length") is { } length)
            return await _reader.ExactlyAsync(int.Parse(length, CultureInfo.InvariantCulture), cancellation);
        using var all = new MemoryStream();
        while (method != "CONNECT" && await _reader.SomeAsync(cancellation) is { Length: > 0 } piece)
            all.Write(piece);
        return all.ToArray();
    }
}

using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace Mesh.Waypoint.Forwarding;

/// <summary>After 101 the connection is bytes both ways: the route's timeout and retries do not apply any more, the times of the stream do.</summary>
internal static class UpgradeTunnel
{
    public static async Task RunAsync(Exchange exchange, UpstreamCall upstream, RequestDeadline deadline)
    {
        deadline.Stop();
        var feature = exchange.Http.Features.Get<IHttpUpgradeFeature>();
        if (feature is not { IsUpgradableRequest: true })
            throw new IOException("the application switched protocols, the client did not ask for it");

        exchange.Http.Response.Headers.Connection = "Upgrade";
        if (upstream.Fields.Find("upgrade") is { } upgrade)
            exchange.Http.Response.Headers.Upgrade = upgrade;
        var (input, output) = upstream.TakeStreams();
        await using var client = await feature.UpgradeAsync();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(exchange.Http.RequestAborted, exchange.Watch?.Token ?? CancellationToken.None);
        var up = CopyUpAsync(exchange, client, output, over);
        var down = CopyDownAsync(exchange, input, client, over);
        await Task.WhenAll(up, down);
        if (exchange.Watch is { Elapsed: not StreamTime.None } watch)
        {
            StreamTimeReply.Note(exchange, watch);
        }
        else if (!await down)
        {
            exchange.Flags |= ResponseFlags.DownstreamConnectionTermination;
            exchange.Details = "downstream_remote_disconnect";
        }
    }

    // A WebSocket ends as a whole: neither stream of the upgrade API can be half-closed.
    private static Task<bool> CopyUpAsync(Exchange exchange, Stream client, PipeWriter output, CancellationTokenSource over) => Guard(
        async () =>
        {
            while (await client.ReadAsync(output.GetMemory(), over.Token) is > 0 and var count)
            {
                output.Advance(count);
                exchange.Watch?.Touch();
                if ((await output.FlushAsync(over.Token)).IsCompleted)
                    break;
            }
        },
        over);

    private static Task<bool> CopyDownAsync(Exchange exchange, PipeReader input, Stream client, CancellationTokenSource over) => Guard(
        async () =>
        {
            while (true)
            {
                var read = await input.ReadAsync(over.Token);
                exchange.Watch?.Touch();
                foreach (var segment in read.Buffer)
                    await client.WriteAsync(segment, over.Token);
                await client.FlushAsync(over.Token);
                exchange.BytesSent += read.Buffer.Length;
                input.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                    break;
            }
        },
        over);

    /// <returns>This direction ended first.</returns>
    private static async Task<bool> Guard(Func<Task> copy, CancellationTokenSource over)
    {
        try
        {
            await copy();
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The other direction ended first, or a side left: both are the end.
        }

        var isFirst = !over.IsCancellationRequested;
        await over.CancelAsync();
        return isFirst;
    }
}

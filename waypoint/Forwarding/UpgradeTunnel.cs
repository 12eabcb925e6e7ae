using Microsoft.AspNetCore.Http.Features;

namespace Mesh.Waypoint.Forwarding;

/// <summary>After 101 the connection is bytes both ways; timeouts and retries do not apply any more.</summary>
internal static class UpgradeTunnel
{
    private const int BufferSize = 16 * 1024;

    public static async Task RunAsync(Exchange exchange, HttpResponseMessage response, CancellationToken cancellation)
    {
        var feature = exchange.Http.Features.Get<IHttpUpgradeFeature>();
        if (feature is not { IsUpgradableRequest: true })
            throw new IOException("the application switched protocols, the client did not ask for it");

        exchange.Http.Response.Headers.Connection = "Upgrade";
        if (response.Headers.NonValidated.TryGetValues("Upgrade", out var upgrade))
            exchange.Http.Response.Headers.Upgrade = upgrade.ToString();
        await using var upstream = await response.Content.ReadAsStreamAsync(cancellation);
        await using var client = await feature.UpgradeAsync();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var up = CopyAsync(client, upstream, over, _ => { });
        var down = CopyAsync(upstream, client, over, n => exchange.BytesSent += n);
        await Task.WhenAll(up, down);
    }

    // A WebSocket ends as a whole: neither stream of the upgrade API can be half-closed.
    private static async Task CopyAsync(Stream from, Stream to, CancellationTokenSource over, Action<int> count)
    {
        var buffer = new byte[BufferSize];
        try
        {
            while (true)
            {
                var read = await from.ReadAsync(buffer, over.Token);
                if (read == 0)
                    break;
                await to.WriteAsync(buffer.AsMemory(0, read), over.Token);
                await to.FlushAsync(over.Token);
                count(read);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The other direction ended first, or a side left: both are the end.
        }

        await over.CancelAsync();
    }
}

using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Forwarding;

/// <summary>Copies of requests for other clusters: sent and forgotten, whatever comes back is thrown away (reference 1.10).</summary>
internal sealed class MirrorSender(IUpstreamDialer dialer, System.Net.IPAddress ownAddress, TimeProvider time, Random random)
{
    private static readonly TimeSpan LongestMirror = TimeSpan.FromMinutes(1);

    /// <summary>Only requests without a body are mirrored; one with a body is counted out, never held back for its copy.</summary>
    public void Send(Exchange exchange, ForwardAction action, UpstreamRequest request, ReplayableBody body)
    {
        if (action.Mirrors.Count == 0 || body.HasBody || request.Upgrade is not null)
            return;
        foreach (var mirror in action.Mirrors)
        {
            if (random.NextDouble() * 100 < mirror.Percentage)
                _ = SendOneAsync(exchange.Connection.Caller, mirror, request, action.Timeout ?? LongestMirror);
        }
    }

    private async Task SendOneAsync(Caller caller, MirrorTarget mirror, UpstreamRequest request, TimeSpan timeout)
    {
        if (mirror.Cluster.View is not { } view || view.Pick(null, random) is not { } endpoint)
            return;
        using var deadline = new CancellationTokenSource(timeout, time);
        using var lease = endpoint.Pools.Get(endpoint, view.Model, caller.Spiffe, dialer).TryUse();
        if (lease is null)
            return;
        try
        {
            using var message = request.CreateMessage(endpoint, view.Model, null, timeout == LongestMirror ? null : timeout, null);
            message.Headers.TryAddWithoutValidation("x-envoy-internal", "true");
            message.Headers.TryAddWithoutValidation("x-forwarded-for", ownAddress.ToString());
            using var response = await lease.SendAsync(message, deadline.Token);
            await response.Content.CopyToAsync(Stream.Null, deadline.Token);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            // Nobody waits for a mirror.
        }
    }
}

using System.Buffers;
using System.IO.Pipelines;
using Mesh.Waypoint.Routing;

namespace Mesh.Waypoint.Forwarding;

/// <summary>Copies of requests for other clusters: sent and forgotten, whatever comes back is thrown away (reference 1.10).</summary>
internal sealed class MirrorSender(IUpstreamDialer dialer, System.Net.IPAddress ownAddress, TimeProvider time, Random random)
{
    private static readonly TimeSpan LongestMirror = TimeSpan.FromMinutes(1);

    private readonly (string Name, string Value)[] _headers = [("x-envoy-internal", "true"), ("x-forwarded-for", ownAddress.ToString())];

    /// <summary>To be called when the request is complete. One whose body was too long to be kept is not mirrored; none is held back for its mirror.</summary>
    public void Send(Exchange exchange, ForwardAction action, UpstreamRequest request, ReplayableBody body)
    {
        if (action.Mirrors.Count == 0 || request.Upgrade is not null || !body.CanReplay)
            return;
        byte[]? copy = null;
        UpstreamRequest? detached = null;
        foreach (var mirror in action.Mirrors)
        {
            if (random.NextDouble() * 100 >= mirror.Percentage)
                continue;
            if (body.HasBody)
                copy ??= body.Copy.ToArray();
            detached ??= request.Detach();
            _ = SendOneAsync(exchange.Connection.Caller, mirror, detached, copy, action.Timeout ?? LongestMirror);
        }
    }

    private async Task SendOneAsync(Caller caller, MirrorTarget mirror, UpstreamRequest request, byte[]? content, TimeSpan timeout)
    {
        if (mirror.Cluster.View is not { } view || view.Pick(null, random) is not { } endpoint)
            return;
        using var deadline = new CancellationTokenSource(timeout, time);
        using var body = content is null ? null : new ReplayableBody(PipeReader.Create(new ReadOnlySequence<byte>(content)), hasBody: true, keepCopy: false);
        var call = endpoint.Pools.Get(endpoint, mirror.Cluster, view.Model, caller.Spiffe, dialer, time).Call(new UpstreamCallContext
        {
            Endpoint = endpoint,
            Cluster = mirror.Cluster,
            Model = view.Model,
            Request = request,
            Body = body,
            Dial = new DialContext(caller.Spiffe, null),
            ExpectedTimeout = timeout == LongestMirror ? null : timeout,
            MirrorHeaders = _headers,
        });
        try
        {
            await call.SendAsync(deadline.Token, deadline.Token);
            while (!(await call.ReadBodyAsync()).IsEmpty)
            {
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException or Http1.ClientFaultException)
        {
            // Nobody waits for a mirror.
        }
        finally
        {
            await call.DisposeAsync();
        }
    }
}

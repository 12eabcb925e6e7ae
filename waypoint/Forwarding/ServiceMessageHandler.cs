using System.Diagnostics;
using Mesh.Waypoint.Balancing;

namespace Mesh.Waypoint.Forwarding;

/// <summary>
/// HTTP to a service of the mesh on the waypoint's own behalf (authorizers, rate-limit services, collectors): an endpoint of its cluster is chosen
/// per request, and reached as those of routes are - through tunnels, with the waypoint's identity and no client's.
/// </summary>
/// <remarks>Only a connection that did not come about is tried again, once, elsewhere: nothing was sent on it.</remarks>
internal sealed class ServiceMessageHandler : HttpMessageHandler
{
    private const int Attempts = 2;
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);
    private static readonly HttpRequestOptionsKey<EndpointState> Chosen = new("endpoint");

    private readonly ClusterState _cluster;
    private readonly Random _random;

    // Pools by address, which is what the URI of each request is rewritten to.
    private readonly HttpMessageInvoker _connections;

    public ServiceMessageHandler(ClusterState cluster, IUpstreamDialer dialer, Random random)
    {
        _cluster = cluster;
        _random = random;
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            AutomaticDecompression = System.Net.DecompressionMethods.None,
            ActivityHeadersPropagator = DistributedContextPropagator.CreateNoOutputPropagator(),
            ConnectTimeout = ConnectTimeout,
            ConnectCallback = (context, cancellation) =>
            {
                context.InitialRequestMessage.Options.TryGetValue(Chosen, out var endpoint);
                var dial = new DialContext(null, null) { Tls = cluster.View?.Model.Tls, Http2 = context.InitialRequestMessage.Version.Major == 2 };
                return dialer.DialAsync(endpoint!, dial, ConnectTimeout, cancellation);
            },
        };
        _connections = new HttpMessageInvoker(handler, disposeHandler: true);
    }

    /// <exception cref="HttpRequestException">No endpoint, no connection, or a connection that broke.</exception>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var target = request.RequestUri!;
        request.Headers.Host ??= target.Authority;
        List<EndpointState>? tried = null;
        for (var attempt = 1; ; attempt++)
        {
            if (_cluster.View is not { } view)
                throw new HttpRequestException($"the control plane has not sent cluster {_cluster.Name}");
            if (view.Pick(null, _random, tried) is not { } endpoint)
                throw new HttpRequestException($"cluster {_cluster.Name} has no healthy endpoint");
            request.RequestUri = new Uri($"http://{endpoint.Text}{target.PathAndQuery}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
            request.Options.Set(Chosen, endpoint);

            // Calls are short and answered at once: the headers' arrival is taken for their end.
            endpoint.Enter();
            try
            {
                var response = await _connections.SendAsync(request, cancellationToken);
                _cluster.Report(endpoint, EndpointResult.Response((int)response.StatusCode));
                return response;
            }
            catch (HttpRequestException e)
            {
                var failure = AttemptFailure.Classify(e, isSafeToRepeat: false);
                if (failure.Result is { } result)
                    _cluster.Report(endpoint, result);
                if (failure.Ending != Resilience.AttemptEnding.ConnectFailure || attempt == Attempts)
                    throw;
                (tried ??= []).Add(endpoint);
            }
            finally
            {
                endpoint.Leave();
            }
        }
    }

    /// <summary>For callers that have a thread of their own and call without await: the span exporter.</summary>
    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken) =>
        SendAsync(request, cancellationToken).GetAwaiter().GetResult();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _connections.Dispose();
        base.Dispose(disposing);
    }
}

using System.Diagnostics;
using System.Text;
using Mesh.Waypoint.Balancing;

namespace Mesh.Waypoint.Forwarding;

/// <summary>Keep-alive HTTP connections to one endpoint on behalf of one client identity; HTTP/1.1 and HTTP/2 side by side.</summary>
internal sealed class UpstreamPool
{
    // Envoy's HTTP/1 codec takes 80 KiB of response headers (reference 7.3); the property is in KiB.
    private const int MaxResponseHeadersKib = 80;

    public static readonly HttpRequestOptionsKey<string?> TraceParent = new("traceparent");

    private readonly HttpMessageInvoker _invoker;

    // Requests under way, plus one for the pool itself while it is not retired: at zero the connections close.
    private int _users = 1;

    public UpstreamPool(EndpointState endpoint, ClusterModel model, string? clientPrincipal, IUpstreamDialer dialer)
    {
        var limits = model.Limits;
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = System.Net.DecompressionMethods.None,
            UseCookies = false,
            UseProxy = false,
            ActivityHeadersPropagator = DistributedContextPropagator.CreateNoOutputPropagator(),
            ConnectTimeout = limits.ConnectTimeout,
            PooledConnectionIdleTimeout = limits.IdleTimeout > TimeSpan.Zero ? limits.IdleTimeout : Timeout.InfiniteTimeSpan,
            PooledConnectionLifetime = limits.MaxConnectionDuration ?? Timeout.InfiniteTimeSpan,
            MaxConnectionsPerServer = (int)Math.Clamp(limits.MaxConnections, 1, int.MaxValue),
            // The application's 100 is waited for: the proxy never invents one (reference 7.4).
            Expect100ContinueTimeout = Timeout.InfiniteTimeSpan,
            EnableMultipleHttp2Connections = true,
            MaxResponseHeadersLength = MaxResponseHeadersKib,
            RequestHeaderEncodingSelector = (_, _) => Encoding.Latin1,
            ResponseHeaderEncodingSelector = (_, _) => Encoding.Latin1,
            ConnectCallback = async (context, cancellation) =>
            {
                context.InitialRequestMessage.Options.TryGetValue(TraceParent, out var trace);
                var stream = await dialer.DialAsync(endpoint, new DialContext(clientPrincipal, trace), limits.ConnectTimeout, cancellation);
                return new UpstreamStream(stream, endpoint.Description.Hbone);
            },
        };
        _invoker = new HttpMessageInvoker(handler, disposeHandler: true);
    }

    /// <returns>Null where the pool was retired in between: take a new one.</returns>
    public Lease? TryUse()
    {
        while (true)
        {
            var users = Volatile.Read(ref _users);
            if (users == 0)
                return null;
            if (Interlocked.CompareExchange(ref _users, users + 1, users) == users)
                return new Lease(this);
        }
    }

    public void Retire() => Leave();

    private void Leave()
    {
        if (Interlocked.Decrement(ref _users) == 0)
            _invoker.Dispose();
    }

    /// <summary>One request's use of the pool, from sending until its response is read to the end.</summary>
    public sealed class Lease(UpstreamPool pool) : IDisposable
    {
        private int _disposed;

        public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation) => pool._invoker.SendAsync(request, cancellation);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
                pool.Leave();
        }
    }
}

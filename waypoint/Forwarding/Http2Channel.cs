using System.Diagnostics;
using System.Text;
using Mesh.Waypoint.Resilience;

namespace Mesh.Waypoint.Forwarding;

/// <summary>HTTP/2 connections to one endpoint on behalf of one client identity.</summary>
internal sealed class Http2Channel : IDisposable
{
    // Envoy takes 60 KiB of response headers on HTTP/2, more on HTTP/1 (reference 7.3); one value for both; the property is in KiB.
    private const int MaxResponseHeadersKib = 80;

    public static readonly HttpRequestOptionsKey<string?> TraceParent = new("traceparent");

    private readonly HttpMessageInvoker _invoker;

    // Requests under way, plus one for the pool itself while it is not retired: at zero the connections close.
    private int _users = 1;

    public Http2Channel(bool throughTunnel, ConnectionLimits limits, Func<DialContext, CancellationToken, ValueTask<Stream>> dial, string? clientPrincipal)
    {
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
            EnableMultipleHttp2Connections = true,
            MaxResponseHeadersLength = MaxResponseHeadersKib,
            RequestHeaderEncodingSelector = (_, _) => Encoding.Latin1,
            ResponseHeaderEncodingSelector = (_, _) => Encoding.Latin1,
            ConnectCallback = async (context, cancellation) =>
            {
                context.InitialRequestMessage.Options.TryGetValue(TraceParent, out var trace);
                var stream = await dial(new DialContext(clientPrincipal, trace) { Http2 = true }, cancellation);
                return new UpstreamStream(stream, throughTunnel);
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

    public void Dispose() => Leave();

    private void Leave()
    {
        if (Interlocked.Decrement(ref _users) == 0)
            _invoker.Dispose();
    }

    /// <summary>One request's use of the pool, from sending until its response is read to the end.</summary>
    public sealed class Lease(Http2Channel pool) : IDisposable
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

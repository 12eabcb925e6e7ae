using Mesh.Waypoint.Balancing;

namespace Mesh.Waypoint.Forwarding;

/// <summary>The connections to one endpoint on behalf of one client identity; HTTP/1.1 and HTTP/2 side by side, each made when first needed.</summary>
internal sealed class UpstreamPool
{
    private readonly EndpointState _endpoint;
    private readonly ClusterModel _model;
    private readonly IUpstreamDialer _dialer;
    private readonly Lazy<Http1Pool> _http1;
    private readonly Lazy<Http2Pool> _http2;

    public UpstreamPool(EndpointState endpoint, ClusterState cluster, ClusterModel model, IUpstreamDialer dialer, TimeProvider time)
    {
        _endpoint = endpoint;
        _model = model;
        _dialer = dialer;
        _http1 = new Lazy<Http1Pool>(() => new Http1Pool(model.Limits, cluster.Circuit, DialAsync, time));
        _http2 = new Lazy<Http2Pool>(() => new Http2Pool(model.Limits, cluster.Circuit, DialAsync, time));
    }

    public UpstreamCall Call(UpstreamCallContext context) => context.Request.UsesHttp2(_model) ? new Http2Call(_http2.Value, context) : new Http1Call(_http1.Value, context);

    public void Retire()
    {
        if (_http1.IsValueCreated)
            _http1.Value.Dispose();
        if (_http2.IsValueCreated)
            _http2.Value.Dispose();
    }

    private async ValueTask<Stream> DialAsync(DialContext context, CancellationToken cancellation)
    {
        var patience = _model.Limits.ConnectTimeout;
        using var elapsed = new CancellationTokenSource(patience);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(elapsed.Token, cancellation);
        try
        {
            return await _dialer.DialAsync(_endpoint, context with { Tls = _model.Tls }, patience, either.Token);
        }
        catch (OperationCanceledException e) when (elapsed.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw new DialException(DialFailure.TimedOut, $"no connection within {patience.TotalSeconds:0.###} s", e);
        }
    }
}

using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mesh.Waypoint.Transport;

/// <summary>Kestrel's transport: connections are not accepted from a socket but handed over by the dispatcher.</summary>
internal sealed class TunnelListenerFactory : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    private readonly TunnelListener _http1 = new(new TunnelEndPoint(HttpProtocols.Http1));
    private readonly TunnelListener _http2 = new(new TunnelEndPoint(HttpProtocols.Http2));

    public bool CanBind(EndPoint endpoint) => endpoint is TunnelEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult<IConnectionListener>(For(((TunnelEndPoint)endpoint).Protocol));

    public EndPoint EndPoint(HttpProtocols protocol) => For(protocol).EndPoint;

    /// <returns>False while draining: no new connection is served.</returns>
    public bool TryOffer(ConnectionContext connection, HttpProtocols protocol) => For(protocol).TryOffer(connection);

    private TunnelListener For(HttpProtocols protocol) => protocol == HttpProtocols.Http2 ? _http2 : _http1;

    [SuppressMessage("Reliability", "CA2000", Justification = "Kestrel owns the connections it accepts")]
    private sealed class TunnelListener(TunnelEndPoint endPoint) : IConnectionListener
    {
        private readonly Channel<ConnectionContext> _offered = Channel.CreateUnbounded<ConnectionContext>();

        public EndPoint EndPoint => endPoint;

        public bool TryOffer(ConnectionContext connection) => _offered.Writer.TryWrite(connection);

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (await _offered.Reader.WaitToReadAsync(cancellationToken))
            {
                if (_offered.Reader.TryRead(out var connection))
                    return connection;
            }

            return null;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            _offered.Writer.TryComplete();
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync() => UnbindAsync();
    }
}

using System.Buffers;
using System.IO.Pipelines;
using Mesh.Waypoint.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mesh.Waypoint.Transport;

/// <summary>
/// The story of a connection before it is HTTP:
/// 1. the destination that its CONNECT named is looked up, by address and port;
/// 2. what the port declares (or, undeclared, what the first bytes say) decides the protocol;
/// 3. HTTP goes to Kestrel, everything else is carried as TCP.
/// </summary>
internal sealed class InboundDispatcher(Func<RouteTable> table, TunnelListenerFactory kestrel, TcpForwarder tcp)
{
    /// <summary>Ends when the connection has ended.</summary>
    public async Task ServeAsync(InboundConnection connection, CancellationToken cancellation)
    {
        // 1.
        if (table().Find(connection.Original) is not { } found)
        {
            tcp.ReportUnknown(connection);
            await connection.DisposeAsync();
            return;
        }

        // 2.
        var protocol = found.Port.IsOpaque ? SniffedProtocol.Other : await SniffAsync(connection, cancellation);

        // What is declared HTTP and is not gets Kestrel's 400, not a connection to the application.
        if (protocol == SniffedProtocol.Other && found.Port.Protocol is V1.Protocol.Http1 or V1.Protocol.Http2 or V1.Protocol.Grpc)
            protocol = SniffedProtocol.Http1;

        // 3.
        if (protocol == SniffedProtocol.Other)
        {
            await tcp.ForwardAsync(connection, found.Destination, found.Port, cancellation);
            return;
        }

        var http = new StreamConnection(connection);
        if (kestrel.TryOffer(http, protocol == SniffedProtocol.Http2 ? HttpProtocols.Http2 : HttpProtocols.Http1))
            await http.Done;
        else
            await http.DisposeAsync();
    }

    // Server-first protocols on undeclared ports wait here, as they do in Envoy: such ports have to be declared TCP (reference 5.4).
    private static async ValueTask<SniffedProtocol> SniffAsync(InboundConnection connection, CancellationToken cancellation)
    {
        var input = connection.Input;
        while (true)
        {
            ReadResult read;
            try
            {
                read = await input.ReadAsync(cancellation);
            }
            catch (IOException)
            {
                // Reset before it said anything; Kestrel sees the same and closes.
                return SniffedProtocol.Http1;
            }

            var start = read.Buffer.Slice(0, Math.Min(read.Buffer.Length, ProtocolSniffer.MaximumNeeded));
            var sniffed = ProtocolSniffer.Sniff(start.IsSingleSegment ? start.FirstSpan : start.ToArray());
            if (sniffed != SniffedProtocol.Undecided || read.IsCompleted)
            {
                // Nothing is consumed: whoever serves the connection reads it from its first byte. A connection that ends undecided is HTTP to
                // Kestrel, which answers or closes properly.
                input.AdvanceTo(read.Buffer.Start);
                return sniffed == SniffedProtocol.Undecided ? SniffedProtocol.Http1 : sniffed;
            }

            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }
}

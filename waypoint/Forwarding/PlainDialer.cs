using System.Net;
using System.Net.Sockets;
using Mesh.Net;
using Mesh.Waypoint.Balancing;

namespace Mesh.Waypoint.Forwarding;

/// <summary>Plain TCP, for endpoints outside the mesh; on the caller's loop where it has one, so that a request stays on its core.</summary>
internal sealed class PlainDialer(IReadOnlyList<EventLoop> loops) : IUpstreamDialer
{
    private uint _next;

    public async ValueTask<Stream> DialAsync(EndpointState endpoint, DialContext context, TimeSpan timeout, CancellationToken cancellation)
    {
        var addresses = endpoint.Address is { } known ? [known] : await ResolveAsync(endpoint.Key.Address, cancellation);
        var loop = EventLoop.Current ?? loops[(int)(Interlocked.Increment(ref _next) % (uint)loops.Count)];
        DialException? failure = null;
        foreach (var address in addresses)
        {
            var options = new ConnectOptions { Remote = new IPEndPoint(address, endpoint.Key.Port), Timeout = timeout };
            var connecting = loop.InLoop ? ConnectAsync(loop, options) : loop.InvokeAsync(() => ConnectAsync(loop, options));
            (SocketPipe? Pipe, ConnectResult Result) connected;
            try
            {
                connected = connecting.IsCompletedSuccessfully ? connecting.Result : await connecting.WaitAsync(cancellation);
            }
            catch (OperationCanceledException)
            {
                _ = CloseLateAsync(connecting);
                throw;
            }

            if (connected.Pipe is { } pipe)
                return new LoopPipeStream(pipe);
            failure = Failure(connected.Result);
        }

        throw failure ?? new DialException(DialFailure.Unreachable, $"{endpoint.Key.Address} has no address");
    }

    private static async Task<(SocketPipe? Pipe, ConnectResult Result)> ConnectAsync(EventLoop loop, ConnectOptions options)
    {
        var result = await LoopConnector.ConnectAsync(loop, options);
        return (result.Socket is { } socket ? new SocketPipe(socket) : null, result);
    }

    private static async ValueTask<IPAddress[]> ResolveAsync(string name, CancellationToken cancellation)
    {
        try
        {
            return await Dns.GetHostAddressesAsync(name, cancellation);
        }
        catch (SocketException e)
        {
            throw new DialException(DialFailure.Unreachable, e.Message, e);
        }
    }

    // A connection that comes after its caller has left is nobody's.
    private static async Task CloseLateAsync(Task<(SocketPipe? Pipe, ConnectResult Result)> connecting)
    {
        try
        {
            (await connecting).Pipe?.Close();
        }
        catch (OperationCanceledException)
        {
            // The loop ended meanwhile, and its sockets with it.
        }
    }

    private static DialException Failure(ConnectResult result) => result.Failure switch
    {
        ConnectFailure.Refused => new DialException(DialFailure.Refused, "Connection refused"),
        ConnectFailure.TimedOut => new DialException(DialFailure.TimedOut, result.Detail!),
        _ => new DialException(DialFailure.Unreachable, result.Detail!),
    };
}

using System.Net;
using Mesh.Hbone;
using Mesh.Model;
using Mesh.Net;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Transport;

namespace Mesh.Waypoint.Forwarding;

/// <summary>What tunnels to endpoints say about this waypoint.</summary>
internal sealed record TunnelFacts
{
    public const int HbonePort = 15008;

    public required IPAddress InstanceAddress { get; init; }

    public required Baggage Baggage { get; init; }

    /// <summary>Other ports only in tests.</summary>
    public Func<EndpointState, IPEndPoint> HboneAddress { get; init; } = e => new IPEndPoint(e.Address!, HbonePort);
}

/// <summary>
/// Endpoints inside the mesh are reached by CONNECT to their node's proxy, over tunnels pooled per loop; the others by plain TCP. A tunnel is
/// opened on the loop of the client's connection where there is one, so that a request stays on its core.
/// </summary>
internal sealed class HboneUpstreamDialer : IUpstreamDialer
{
    private readonly MeshIdentity _identity;
    private readonly TunnelFacts _facts;
    private readonly IUpstreamDialer _plain;
    private readonly IReadOnlyList<(EventLoop Loop, HbonePool Pool)> _loops;
    private uint _next;

    public HboneUpstreamDialer(IReadOnlyList<EventLoop> loops, MeshIdentity identity, TunnelFacts facts, HboneOptions options, IUpstreamDialer plain)
    {
        _identity = identity;
        _facts = facts;
        _plain = plain;
        _loops = [.. loops.Select(loop =>
        {
            var dialer = new HboneDialer(loop, identity.Tls, identity, remote => new ConnectOptions { Remote = remote }, options);
            return (loop, new HbonePool(loop, dialer, options));
        })];
    }

    public ValueTask<Stream> DialAsync(EndpointState endpoint, DialContext context, TimeSpan timeout, CancellationToken cancellation) =>
        endpoint.Description.Hbone ? DialTunnelAsync(endpoint, context, cancellation) : _plain.DialAsync(endpoint, context, timeout, cancellation);

    /// <summary>Standing tunnels end after their last stream.</summary>
    public void Drain()
    {
        foreach (var (loop, pool) in _loops)
            loop.Post(pool.Drain);
    }

    private async ValueTask<Stream> DialTunnelAsync(EndpointState endpoint, DialContext context, CancellationToken cancellation)
    {
        // 1. Whom we accept there: an endpoint without a known identity is never reached, not even in plain text.
        var accepted = endpoint.Description.Identities.Select(i => SpiffeId.TryParse(i, out var id) ? id : (SpiffeId?)null).OfType<SpiffeId>().ToList();
        if (endpoint.Address is null || accepted.Count == 0)
            throw new DialException(DialFailure.Identity, $"endpoint {endpoint.Text} is in the mesh but has no {(accepted.Count == 0 ? "identity" : "address")}");

        // 2. On one loop from here.
        var (loop, pool) = Choose();
        var answer = new TaskCompletionSource<(TunnelResult Result, TunnelPipe? Pipe)>(TaskCreationOptions.RunContinuationsAsynchronously);
        var target = new TunnelTarget(_identity.Own, accepted, _facts.HboneAddress(endpoint), null);
        var client = SpiffeId.TryParse(context.ClientPrincipal ?? string.Empty, out var principal) ? principal : (SpiffeId?)null;
        var trace = TraceParent.TryParse(context.TraceParent, out var parent) ? parent.Child() : TraceParent.New();
        var headers = HboneHeaders.Connect(
            endpoint.Text, _facts.Baggage, new IPEndPoint(_facts.InstanceAddress, 0), null, trace, clientPrincipal: client);
        loop.Spawn(async () =>
        {
            try
            {
                var result = await pool.OpenAsync(target, headers);
                answer.SetResult((result, result.IsOpen ? TunnelPipe.Attach(result.Tunnel) : null));
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                answer.SetException(e);
            }
        });

        // 3. A tunnel that comes after its caller has left is given back.
        (TunnelResult Result, TunnelPipe? Pipe) opened;
        try
        {
            opened = await answer.Task.WaitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            _ = CloseLateAsync(answer.Task);
            throw;
        }

        return opened.Pipe is { } pipe ? new TunnelStream(pipe) : throw new DialException(Failure(opened.Result), opened.Result.Error);
    }

    private (EventLoop Loop, HbonePool Pool) Choose()
    {
        var current = EventLoop.Current;
        foreach (var entry in _loops)
        {
            if (ReferenceEquals(entry.Loop, current))
                return entry;
        }

        return _loops[(int)(Interlocked.Increment(ref _next) % (uint)_loops.Count)];
    }

    private static async Task CloseLateAsync(Task<(TunnelResult Result, TunnelPipe? Pipe)> answer)
    {
        try
        {
            (await answer).Pipe?.Close();
        }
        catch (Exception e) when (e is ObjectDisposedException or InvalidOperationException)
        {
            // The pool ended meanwhile, and its tunnels with it.
        }
    }

    private static DialFailure Failure(TunnelResult result) => result.Ending switch
    {
        Ending.UpstreamRefused => DialFailure.Refused,
        Ending.UpstreamTimeout => DialFailure.TimedOut,
        Ending.UpstreamUnreachable => DialFailure.Unreachable,
        Ending.IdentityNotIssued or Ending.PeerIdentityMismatch or Ending.TlsFailure or Ending.CertificateRevoked => DialFailure.Identity,
        Ending.TunnelRefused => DialFailure.TunnelRefused,
        _ => DialFailure.TunnelLost,
    };
}

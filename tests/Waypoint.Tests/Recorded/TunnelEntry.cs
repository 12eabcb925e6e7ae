using System.Collections.Concurrent;
using System.Net;
using Mesh.Hbone;
using Mesh.Identity.Certificates;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Net;
using Mesh.Testing;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Tests.Harness;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>Where the recorded clients enter the mesh.</summary>
internal interface IEntry : IAsyncDisposable
{
    Task<Stream> ConnectAsync(OriginalDestination destination, string identity);
}

/// <summary>A tunnel of their own per connection, straight to the waypoint, with the certificate of whoever asks.</summary>
internal sealed class TunnelEntry : IEntry, ITunnelCertificates
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly EventLoop _loop = EventLoop.Start("client");
    private readonly ConcurrentDictionary<SpiffeId, WorkloadCertificate> _certificates = new();
    private readonly TestCertificateAuthority _ca;
    private readonly IPEndPoint _waypoint;
    private HbonePool? _pool;

    private TunnelEntry(TestCertificateAuthority ca, IPEndPoint waypoint)
    {
        _ca = ca;
        _waypoint = waypoint;
    }

    public static async Task<IEntry> StartAsync(TestCertificateAuthority ca, IPEndPoint waypoint)
    {
        var entry = new TunnelEntry(ca, waypoint);
        var dialer = new HboneDialer(entry._loop, new MeshTls(), entry, remote => new ConnectOptions { Remote = remote }, new HboneOptions());
        await entry._loop.InvokeAsync(() => entry._pool = new HbonePool(entry._loop, dialer, new HboneOptions()));
        return entry;
    }

    public async Task<Stream> ConnectAsync(OriginalDestination destination, string identity)
    {
        var answer = new TaskCompletionSource<Stream>(TaskCreationOptions.RunContinuationsAsynchronously);
        var target = new TunnelTarget(SpiffeId.Parse(identity), [SpiffeId.Parse(HboneMesh.WaypointIdentity)], _waypoint, null);
        var headers = HboneHeaders.Connect(destination.ToString(), Baggage.Empty, new IPEndPoint(IPAddress.Loopback, 4711), null, TraceParent.New());
        _loop.Spawn(async () =>
        {
            var result = await _pool!.OpenAsync(target, headers);
            if (result.IsOpen)
                answer.SetResult(new TunnelStream(TunnelPipe.Attach(result.Tunnel)));
            else
                answer.SetException(new IOException($"the waypoint answered the CONNECT with {result.Status}: {result.Error}"));
        });
        return await answer.Task.WaitAsync(Patience);
    }

    public ValueTask<CertificateAnswer> GetAsync(SpiffeId identity) => ValueTask.FromResult(new CertificateAnswer(_certificates.GetOrAdd(identity, _ca.Issue(identity)), string.Empty));

    public async ValueTask DisposeAsync()
    {
        await _loop.InvokeAsync(() =>
        {
            _pool?.Dispose();
            return true;
        });
        _loop.Dispose();
    }
}

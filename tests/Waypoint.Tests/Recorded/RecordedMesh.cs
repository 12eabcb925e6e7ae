using System.Collections;
using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using Google.Protobuf;
using Mesh.Hbone;
using Mesh.Identity.Certificates;
using Mesh.Identity.Fetching;
using Mesh.Identity.Tls;
using Mesh.IstiodLite.Resources;
using Mesh.IstiodLite.Sources.Files;
using Mesh.IstiodLite.Translation;
using Mesh.Model;
using Mesh.Net;
using Mesh.Runtime.Logging;
using Mesh.Testing;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Routing;
using Mesh.Waypoint.Tests.Harness;
using Mesh.Waypoint.Transport;
using Mesh.Xds.Wds;

namespace Mesh.Waypoint.Tests.Recorded;

/// <summary>One scenario standing: its instances, their nodes' proxies, and a waypoint on a real HBONE port, configured by our translation of its documents.</summary>
internal sealed class RecordedMesh : IAsyncDisposable
{
    /// <summary>The waypoint's pod in the documents.</summary>
    private static readonly IPAddress RecordedAddress = IPAddress.Parse("127.30.0.1");

    private static readonly TimeSpan LogPatience = TimeSpan.FromSeconds(2);

    private readonly LoopbackRange _range = LoopbackRange.Take();
    private readonly EventLoop _loop = EventLoop.Start("waypoint");
    private readonly LogSink _log = new(Stream.Null, LogFormat.Text, LogFilter.Default, TimeProvider.System);
    private readonly List<IAsyncDisposable> _fronts = [];
    private readonly ConcurrentDictionary<(string Case, string Seq), TaskCompletionSource<LogEntry>> _requests = new();
    private CertificateCache? _certificates;
    private HboneEntrance? _entrance;

    public TestCertificateAuthority Ca { get; } = new();

    public ScriptedInstances Instances { get; private set; } = null!;

    public TestWaypoint Waypoint { get; private set; } = null!;

    public IPEndPoint Entrance { get; private set; } = null!;

    /// <summary>What the control plane tells the node agents.</summary>
    public MeshUpdate World { get; } = new();

    public static async Task<RecordedMesh> StartAsync(Scenario scenario)
    {
        var mesh = new RecordedMesh();
        mesh.Instances = new ScriptedInstances(scenario, mesh._range.Map);
        mesh._certificates = new CertificateCache(new Source(mesh.Ca));
        var identity = new MeshIdentity(SpiffeId.Parse(HboneMesh.WaypointIdentity), mesh._certificates, new MeshTls(), TimeProvider.System);
        var facts = new TunnelFacts { InstanceAddress = IPAddress.Loopback, Baggage = new Baggage { Namespace = "shop", ServiceName = "waypoint" } };
        mesh.Waypoint = new TestWaypoint(new HboneUpstreamDialer([mesh._loop], identity, facts, new HboneOptions(), new PlainDialer([mesh._loop])), Normalization(scenario.Name));
        mesh.Waypoint.OnReport = mesh.Note;
        await mesh.Waypoint.StartAsync();
        await mesh.ConfigureAsync(scenario);
        mesh.Entrance = await mesh._loop.InvokeAsync(() =>
        {
            mesh._entrance = new HboneEntrance(mesh._loop, identity, mesh.Waypoint.DataPath.Inbound, () => mesh.Waypoint.Configuration.Routes, new HboneOptions(), mesh._log.For("inbound"), CancellationToken.None);
            return mesh._entrance.Listen(new IPEndPoint(mesh._range.Map(RecordedAddress), TunnelFacts.HbonePort));
        });
        return mesh;
    }

    /// <summary>Null: the request was not reported, because it was never one or because nobody said that it ended.</summary>
    public async Task<LogEntry?> LogAsync(string @case, int seq)
    {
        try
        {
            return await Entry(@case, seq.ToString(CultureInfo.InvariantCulture)).Task.WaitAsync(LogPatience);
        }
        catch (TimeoutException)
        {
            return null;
        }
    }

    public void ForgetLog(string @case)
    {
        foreach (var key in _requests.Keys.Where(k => k.Case == @case))
            _requests.TryRemove(key, out _);
    }

    public async ValueTask DisposeAsync()
    {
        await Waypoint.DisposeAsync();
        await _loop.InvokeAsync(() =>
        {
            _entrance?.Dispose();
            return true;
        });
        foreach (var front in _fronts)
            await front.DisposeAsync();
        await Instances.DisposeAsync();
        _loop.Dispose();
        _certificates?.Dispose();
        _log.Dispose();
        Ca.Dispose();
        _range.Dispose();
    }

    private void Note(Exchange exchange)
    {
        var headers = exchange.Http.Request.Headers;
        Entry(headers["x-case"].ToString(), headers["x-seq"].ToString()).TrySetResult(new LogEntry(exchange.Flags.ToText(), exchange.Details));
    }

    private TaskCompletionSource<LogEntry> Entry(string @case, string seq) =>
        _requests.GetOrAdd((@case, seq), _ => new TaskCompletionSource<LogEntry>(TaskCreationOptions.RunContinuationsAsynchronously));

    private async Task ConfigureAsync(Scenario scenario)
    {
        var resources = Directory.GetFiles(Scenario.FolderOf(scenario.Name), "*.yaml").Where(f => Path.GetFileName(f) != "mesh.yaml").Order(StringComparer.Ordinal)
            .SelectMany(f => ParsedFile.Parse(Path.GetFileName(f), File.ReadAllBytes(f)).Resources);
        var settings = MeshSettings.FromEnvironment(new Hashtable(), []);
        var translated = MeshTranslator.Translate(new ResourceSet(resources), settings, AddressBook.Empty);
        foreach (var address in translated.Addresses.Values)
            WdsDecoder.Decode(Moved(address.Address), World);
        var configuration = translated.Waypoints["shop/waypoint"];
        List<V1.Cluster> clusters = [.. configuration.Clusters.Values.Select(c => Moved((V1.Cluster)c))];
        Assert.Empty(Waypoint.Configuration.ApplyClusters(clusters.Select(c => (c.Name, c)), []));
        Assert.Empty(Waypoint.Configuration.ApplyPolicies(configuration.Policies.Select(p => (p.Key, (V1.RequestPolicy)p.Value)), []));
        Assert.Empty(Waypoint.Configuration.ApplyServices(configuration.Services.Select(s => (s.Key, (V1.Service)s.Value)), []));
        foreach (var endpoint in clusters.SelectMany(c => c.Endpoints).Where(e => e.Hbone).DistinctBy(e => e.Address))
            await StartFrontAsync(scenario, endpoint);
    }

    // What stands at podIP:15008, by the instance's name (README of the fixtures).
    private async Task StartFrontAsync(Scenario scenario, V1.Endpoint endpoint)
    {
        var address = new IPAddress(endpoint.Address.Span);
        var name = (string)scenario.Instances.First(i => _range.Map(IPAddress.Parse((string)i["ip"]!)).Equals(address))["name"]!;
        var at = new IPEndPoint(address, TunnelFacts.HbonePort);
        var certificate = Ca.Issue(endpoint.Identities[0]);
        if (name is "tun-refused-one-v1-2" || name.StartsWith("tun-refused-all", StringComparison.Ordinal))
            return;
        if (name.StartsWith("tun-rst", StringComparison.Ordinal))
        {
            _fronts.Add(new ResettingNode(certificate, at));
            return;
        }

        var node = await TestNodeProxy.StartAsync(certificate, at);
        node.Refusal = name switch
        {
            "tun-503-one-v1-2" => 503,
            _ when name.StartsWith("tun-503-all", StringComparison.Ordinal) || name.StartsWith("tun-retry5xx", StringComparison.Ordinal) => 503,
            _ when name.StartsWith("tun-401-all", StringComparison.Ordinal) => 401,
            _ => 0,
        };
        _fronts.Add(node);
    }

    // Two runs on one machine must not meet on the instances' fixed addresses; and the recorded proxy was Envoy's arithmetic exactly.
    private V1.Cluster Moved(V1.Cluster cluster)
    {
        var moved = cluster.Clone();
        foreach (var endpoint in moved.Endpoints.Where(e => e.Address.Length == 4))
            endpoint.Address = ByteString.CopyFrom(_range.Map(new IPAddress(endpoint.Address.Span)).GetAddressBytes());
        if (moved.OutlierDetection is { } outlier)
            outlier.AlwaysEjectOne = false;
        return moved;
    }

    // Pods move, services stay: nobody dials their addresses.
    private Istio.Workload.Address Moved(Istio.Workload.Address address)
    {
        var moved = address.Clone();
        if (moved.Workload is not { } workload)
            return moved;
        var addresses = workload.Addresses.Select(a => a.Length == 4 ? ByteString.CopyFrom(_range.Map(new IPAddress(a.Span)).GetAddressBytes()) : a).ToList();
        workload.Addresses.Clear();
        workload.Addresses.Add(addresses);
        return moved;
    }

    private static PathNormalization Normalization(string scenario) => scenario switch
    {
        "14-path-merge-slashes" => PathNormalization.MergeSlashes,
        "15-path-decode-and-merge-slashes" => PathNormalization.DecodeAndMergeSlashes,
        _ => PathNormalization.Base,
    };

    private sealed class Source(TestCertificateAuthority ca) : ICertificateSource
    {
        public Task<WorkloadCertificate> FetchAsync(SpiffeId id, CancellationToken cancellation) => Task.FromResult(ca.Issue(id));
    }
}

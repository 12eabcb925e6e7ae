using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Istio.V1.Auth;
using Mesh.Identity.Certificates;
using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Translation;
using Mesh.Kubernetes.Informers;
using Mesh.Model;
using Mesh.Testing.Kubernetes;
using Mesh.Testing.Kubernetes.Access;
using Mesh.Xds.Grpc;

namespace Mesh.IstiodLite.Tests.OnKubernetes;

/// <summary>A fake API server with the mesh's kinds and some objects, and control planes that serve it.</summary>
internal sealed class ClusterRig : IAsyncDisposable
{
    /// <summary>Longer than the minute after which each writer looks again by itself, on a machine that is busy with other tests.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(150);
    private static readonly TimeSpan _look = TimeSpan.FromMilliseconds(20);
    private readonly string _folder = Directory.CreateTempSubdirectory("istiod-lite-cluster-").FullName;
    private readonly List<ControlPlaneHost> _hosts = [];
    private readonly HttpClient _http = new();

    public FakeApiServer Server { get; } = new();

    /// <summary>As the chart's service account: control planes may do what the chart's roles say, and nothing else.</summary>
    public string Token { get; private set; } = string.Empty;

    /// <summary>Of control planes that are opened from now on.</summary>
    public TimeProvider Time { get; set; } = TimeProvider.System;

    public TimeSpan TellAgain { get; set; } = TimeSpan.FromMinutes(20);

    public static string Account => RoleCoverage.ServiceAccount("istio-system", "istiod");

    public RoleCoverage Coverage => new(Server, Account);

    public static async Task<ClusterRig> StartAsync(bool meshKinds = true)
    {
        var rig = new ClusterRig();
        if (meshKinds)
            rig.Server.InstallMeshKinds();
        await rig.Server.StartAsync();
        rig.Token = rig.Server.ActAs(Testing.Repository.Manifest, "istio-system", "istiod");
        foreach (var ns in (string[])["istio-system", "shop"])
            rig.Put($$"""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"{{ns}}","labels":{"istio.io/dataplane-mode":"ambient"} } }""");
        return rig;
    }

    public string KubeConfig
    {
        get
        {
            var path = Path.Combine(_folder, "kubeconfig");
            File.WriteAllText(path, Server.KubeConfig(Token));
            return path;
        }
    }

    public async Task<ControlPlaneHost> ControlPlaneAsync(string identity = "istiod-a")
    {
        var host = await OpenAsync(identity);
        await host.StartAsync(CancellationToken.None).WaitAsync(Patience);
        return host;
    }

    /// <summary>Not started yet.</summary>
    public async Task<ControlPlaneHost> OpenAsync(string identity)
    {
        var settings = new MeshSettings();
        var cluster = new ClusterOptions
        {
            KubeConfig = KubeConfig,
            Identity = identity,
            Pod = new Leadership.OwnPod("istio-system", identity, $"uid-of-{identity}"),
            FaultCheck = TimeSpan.FromMilliseconds(50),
            TellAgain = TellAgain,
            AuthorityCheck = TimeSpan.FromMilliseconds(50),
            TrustedNodeAccounts = new HashSet<string>(StringComparer.Ordinal) { "istio-system/ztunnel" },
            Informers = new InformerOptions { FirstDelay = TimeSpan.FromMilliseconds(10), LongestDelay = TimeSpan.FromMilliseconds(200), MissingGrace = TimeSpan.FromMilliseconds(100) },
        };
        var options = new ControlPlaneOptions
        {
            ConfigFolder = "",
            StateFolder = "",
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
            Admin = new IPEndPoint(IPAddress.Loopback, 0),
            MeshConfigFile = null,
            Lifetimes = new CertificateLifetimes(),
            AuthorityFolder = null,
            ServicePool = settings.ServicePool,
            Cluster = cluster,
            Webhook = new IPEndPoint(IPAddress.Loopback, 0),
        };
        var plane = await ClusterPlane.OpenAsync(cluster, settings, options.Lifetimes, null, Time, CancellationToken.None).WaitAsync(Patience);
        var host = new ControlPlaneHost(options, plane, settings, null, Time);
        _hosts.Add(host);
        return host;
    }

    /// <summary>It is over already.</summary>
    public void Forget(ControlPlaneHost host) => _hosts.Remove(host);

    public void Put(string json) => Server.Put(json);

    public void Delete(string group, string plural, string ns, string name)
    {
        var kind = Server.Store.Kinds.First(k => k.Group == group && k.Plural == plural);
        Server.Store.Delete(kind, ns, name, null, new Testing.Kubernetes.Storage.WriteContext());
    }

    public void Pod(string name, string account, string ip, string node = "node-1", string ns = "shop") => Put($$"""
        {"apiVersion":"v1","kind":"Pod","metadata":{"name":"{{name}}","namespace":"{{ns}}","labels":{"app":"{{account}}"},"annotations":{"ambient.istio.io/redirection":"enabled"} },
         "spec":{"nodeName":"{{node}}","serviceAccountName":"{{account}}","containers":[{"name":"c","image":"i","futureField":{"x":1} }]},
         "status":{"phase":"Running","podIP":"{{ip}}","podIPs":[{"ip":"{{ip}}"}],"conditions":[{"type":"Ready","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z"}]} }
        """);

    public void Service(string name, string labels = "{}") => Put($$"""
        {"apiVersion":"v1","kind":"Service","metadata":{"name":"{{name}}","namespace":"shop","labels":{{labels}} },"spec":{"clusterIP":"10.96.0.200","clusterIPs":["10.96.0.200"],"selector":{"app":"{{name}}"},"ports":[{"port":80}]} }
        """);

    public async Task<string> GetAsync(ControlPlaneHost host, string path)
    {
        using var response = await _http.GetAsync(new Uri($"http://{host.AdminEndPoint}{path}"));
        return await response.Content.ReadAsStringAsync();
    }

    /// <summary>The dump of what is pushed, once it holds (or no longer holds) a text.</summary>
    public Task<string> DumpAsync(ControlPlaneHost host, string text, bool present = true) =>
        UntilAsync(() => GetAsync(host, "/debug/config_dump"), d => d.Contains(text, StringComparison.Ordinal) == present, $"the dump {(present ? "has" : "lacks")} {text}");

    public Task<string> ReadyAsync(ControlPlaneHost host, Func<string, bool> condition, string what) => UntilAsync(() => GetAsync(host, "/ready"), condition, what);

    public async Task<JsonObject> ObjectAsync(string group, string plural, string ns, string name, Func<JsonObject, bool> condition)
    {
        var found = await UntilAsync(() => Task.FromResult(Server.Get(group, plural, ns, name)), o => o is not null && condition(o), $"{plural} {ns}/{name} is as expected");
        return found!;
    }

    public static async Task<T> UntilAsync<T>(Func<Task<T>> read, Func<T, bool> condition, string what)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (true)
        {
            var value = await read();
            if (condition(value))
                return value;
            // There is no event to await across a process's page or another's store.
            await Task.Delay(_look, CancellationToken.None);
            Assert.False(limit.IsCancellationRequested, $"it did not come about that {what}; the last seen was: {value}");
        }
    }

    /// <summary>An Event on a pod of the mesh, with its uid: kubectl describe finds no other.</summary>
    public Task EventAsync(string pod, string reason, string text) => UntilAsync(
        () => Task.FromResult(Events().ToList()), all => all.Exists(e => (string?)e["reason"] == reason && ((string?)e["note"])!.Contains(text, StringComparison.Ordinal) && (string?)e["regarding"]!["name"] == pod && (string?)e["regarding"]!["uid"] is { Length: > 0 }),
        $"{reason} is told on {pod}: {text}");

    public IEnumerable<JsonObject> Events()
    {
        var events = Server.Store.FindKind("events.k8s.io", "v1", "events")!;
        return Server.Store.List(events, null, Testing.Kubernetes.Storage.Selectors.Parse(events, null, null)).Items.Select(e => e.Body);
    }

    public GrpcChannel Connect(ControlPlaneHost host, string token)
    {
        var root = Path.Combine(_folder, "root.pem");
        File.WriteAllBytes(root, Convert.FromBase64String((string)Server.Get("", "secrets", "istio-system", "istio-ca-secret")!["data"]!["root-cert.pem"]!));
        return new GrpcChannel(new GrpcChannelOptions
        {
            Address = new Uri(string.Create(CultureInfo.InvariantCulture, $"https://localhost:{host.DiscoveryEndPoint.Port}")),
            Trust = GrpcServerTrust.FromFile(root),
            Credentials = TokenCredentials.FromLiteral(token, "Kubernetes"),
        });
    }

    /// <summary>The names in the issued certificate; a refusal is thrown.</summary>
    public async Task<IReadOnlyList<string>> CertificateAsync(ControlPlaneHost host, string token, string? impersonated)
    {
        using var channel = Connect(host, token);
        using var csr = CsrBuilder.Create(SpiffeId.Parse(impersonated ?? "spiffe://cluster.local/ns/shop/sa/any"));
        var request = new IstioCertificateRequest { Csr = csr.Pem };
        if (impersonated is not null)
        {
            request.Metadata = new Google.Protobuf.WellKnownTypes.Struct();
            request.Metadata.Fields["ImpersonatedIdentity"] = Google.Protobuf.WellKnownTypes.Value.ForString(impersonated);
        }
        var response = await channel.UnaryAsync(GrpcMethods.CreateCertificate, request);
        return response.CertChain;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts)
        {
            await host.StopAsync(TimeSpan.FromSeconds(1));
            await host.DisposeAsync();
        }
        await Server.DisposeAsync();
        Assert.True(Coverage.Refused.Count == 0, string.Join('\n', Coverage.Refused));
        _http.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}

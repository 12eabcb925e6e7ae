using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Mesh.Hbone;
using Mesh.Identity.Certificates;
using Mesh.Identity.Fetching;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Net;
using Mesh.Testing;
using Mesh.Xds.Grpc;

namespace Mesh.Waypoint.Tests.Harness;

/// <summary>One of the mesh's programs with what it has said.</summary>
internal sealed class MeshProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly SemaphoreSlim _said = new(0);

    private MeshProcess(Process process) => _process = process;

    public string Output => string.Join('\n', _lines);

    public static MeshProcess Start(string program, IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, program), arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DOTNET_TieredPGO"] = "0";
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        var process = Process.Start(start)!;
        var started = new MeshProcess(process);
        process.OutputDataReceived += (_, e) => started.Said(e.Data);
        process.ErrorDataReceived += (_, e) => started.Said(e.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return started;
    }

    /// <summary>The first group of the first line that matches.</summary>
    public async Task<string> LineAsync(string pattern)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            if (_lines.Select(l => Regex.Match(l, pattern)).FirstOrDefault(m => m.Success) is { } match)
                return match.Groups[1].Value;
            Assert.False(_process.HasExited, $"the process ended before it said {pattern}: {Output}");
            try
            {
                await _said.WaitAsync(TimeSpan.FromMilliseconds(200), patience.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"not said within {Patience.TotalSeconds} s: {pattern}\n{Output}");
            }
        }
    }

    public void Terminate()
    {
        using var kill = Process.Start("kill", ["-TERM", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public async Task<int> ExitAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        await _process.WaitForExitAsync(patience.Token);
        _process.WaitForExit(); // the readers of its output, too
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _said.Dispose();
    }

    private void Said(string? line)
    {
        if (line is null)
            return;
        _lines.Enqueue(line);
        _said.Release();
    }
}

/// <summary>Control plane and waypoints as processes, configured by documents; the test plays the client's node proxy. One service, one plain endpoint.</summary>
internal sealed class ProcessWorld : IAsyncDisposable
{
    public const string Vip = "127.50.1.1:80";

    private const string Documents = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: waypoint, namespace: shop}
        spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: orders, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}
        spec: {clusterIP: 127.50.1.1, selector: {app: orders}, ports: [{name: http, port: 80, targetPort: PORT}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: orders-1, namespace: shop, labels: {app: orders}}
        spec: {serviceAccountName: orders, nodeName: node-a}
        status: {phase: Running, podIP: 127.0.0.1, podIPs: [{ip: 127.0.0.1}], conditions: [{type: Ready, status: "True"}]}

        """;

    private readonly string _root = Directory.CreateTempSubdirectory("waypoint-test-").FullName;
    private readonly EventLoop _loop = EventLoop.Start("client");
    private readonly ConcurrentDictionary<int, HbonePool> _pools = new();
    private MeshProcess? _plane;
    private Uri? _discovery;
    private WorkloadCertificate? _client;

    private string State => Path.Combine(_root, "state");

    public string Config => Path.Combine(_root, "config");

    public static async Task<ProcessWorld> StartAsync(int applicationPort, string more = "")
    {
        var world = new ProcessWorld();
        Directory.CreateDirectory(world.Config);
        await File.WriteAllTextAsync(Path.Combine(world.Config, "mesh.yaml"), Documents.Replace("PORT", applicationPort.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal) + more);
        world._plane = MeshProcess.Start("istiod-lite", ["--config-dir", world.Config, "--state-dir", world.State, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        world._discovery = new Uri("https://" + await world._plane.LineAsync(@"discovery and certificates on https://(\S+)"));
        using var channel = new GrpcChannel(new GrpcChannelOptions
        {
            Address = world._discovery,
            Trust = GrpcServerTrust.FromFile(Path.Combine(world.State, "root-cert.pem")),
            Credentials = TokenCredentials.FromLiteral(await world.TokenAsync("shop/storefront/storefront-1"), "Kubernetes"),
        });
        var source = new CaCertificateSource(new CaGrpcClient(channel, new CaClientOptions { Impersonate = false }), TimeSpan.FromHours(1));
        world._client = await source.FetchAsync(SpiffeId.Parse(Requests.Storefront), CancellationToken.None);
        return world;
    }

    /// <summary>A waypoint that does not take tunnels yet; <see cref="ReadyAsync"/> waits for that.</summary>
    public async Task<(MeshProcess Process, int Hbone, int Ready)> StartWaypointAsync(params (string Name, string Value)[] environment)
    {
        var (hbone, ready) = (Ports.Unused(), Ports.Unused());
        var process = MeshProcess.Start(
            "waypoint",
            [],
            [
                ("POD_NAME", "waypoint-1"), ("POD_NAMESPACE", "shop"), ("SERVICE_ACCOUNT", "waypoint"), ("GATEWAY_NAME", "waypoint"), ("INSTANCE_IP", "127.0.0.1"),
                ("XDS_ADDRESS", _discovery!.ToString()), ("XDS_ROOT_CA", Path.Combine(State, "root-cert.pem")), ("AUTH_TOKEN", await TokenAsync("shop/waypoint/waypoint-1")),
                ("INBOUND_ADDR", $"127.0.0.1:{hbone}"), ("READINESS_ADDR", $"127.0.0.1:{ready}"), ("STATS_ADDR", "127.0.0.1:0"), ("ADMIN_PORT", "0"), ("WORKER_THREADS", "1"),
                .. environment,
            ]);
        return (process, hbone, ready);
    }

    public static Task ReadyAsync(MeshProcess waypoint) => waypoint.LineAsync("(marking server ready)");

    /// <summary>A tunnel to the service through the waypoint that listens there.</summary>
    public async Task<Stream?> TunnelAsync(int hbone)
    {
        var answer = new TaskCompletionSource<Stream?>(TaskCreationOptions.RunContinuationsAsynchronously);
        var target = new TunnelTarget(SpiffeId.Parse(Requests.Storefront), [SpiffeId.Parse(HboneMesh.WaypointIdentity)], new IPEndPoint(IPAddress.Loopback, hbone), null);
        var headers = HboneHeaders.Connect(Vip, Baggage.Empty, IPEndPoint.Parse("198.18.7.7:4711"), null, TraceParent.New());
        _loop.Spawn(async () =>
        {
            var pool = _pools.GetOrAdd(hbone, _ => new HbonePool(
                _loop, new HboneDialer(_loop, new MeshTls(), new Fixed(_client!), remote => new ConnectOptions { Remote = remote }, new HboneOptions()), new HboneOptions()));
            var result = await pool.OpenAsync(target, headers);
            answer.SetResult(result.IsOpen ? new TunnelStream(TunnelPipe.Attach(result.Tunnel)) : null);
        });
        return await answer.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    public async ValueTask DisposeAsync()
    {
        await _loop.InvokeAsync(() =>
        {
            foreach (var pool in _pools.Values)
                pool.Dispose();
            return true;
        });
        _loop.Dispose();
        if (_plane is not null)
            await _plane.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    private async Task<string> TokenAsync(string workload)
    {
        await using var token = MeshProcess.Start("istiod-lite", ["token", "--state-dir", State, "--workload", workload]);
        Assert.Equal(0, await token.ExitAsync());
        return token.Output.Trim();
    }

    private sealed class Fixed(WorkloadCertificate certificate) : ITunnelCertificates
    {
        public ValueTask<CertificateAnswer> GetAsync(SpiffeId identity) => ValueTask.FromResult(new CertificateAnswer(certificate, string.Empty));
    }
}

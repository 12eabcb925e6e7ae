using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;

using Istio.V1.Auth;
using Mesh.EndToEnd.Tests.Harness;
using Mesh.Model;
using Mesh.Net;
using Mesh.Testing;
using Mesh.Xds.Grpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Mesh.EndToEnd.Tests.Direct;

/// <summary>
/// One dedicated ztunnel as a process in a network namespace of its own, configured by a file, with an authority of the test's and an
/// echoing application on port 8080. Programs reach it through SOCKS5, so no rules are needed.
/// </summary>
internal sealed class DirectRig : IAsyncDisposable
{
    public const string Tunnelled = "127.0.0.1";
    public const string Plain = "127.0.0.2";
    public const string Vip = "127.10.0.1";
    public const string VipOfANamedWorkload = "127.10.0.2";
    public const int Port = 8080;

    /// <summary>In the form of the Rust ztunnel's own example.</summary>
    private const string Registry = """
        workloads:
        - {uid: cluster1//v1/Pod/default/local, name: local, namespace: default, serviceAccount: default, trustDomain: cluster.local, workloadName: local, canonicalName: local,
           workloadIps: ["127.0.0.1"], protocol: HBONE, node: local, services: {"default/svc.default.svc.cluster.local": {80: 8080}}}
        - {uid: cluster1//v1/Pod/default/plain, name: plain, namespace: default, serviceAccount: default, trustDomain: cluster.local, workloadIps: ["127.0.0.2"], protocol: TCP, node: remote, services: {}}
        - {uid: cluster1//v1/Pod/default/named, name: named, namespace: default, serviceAccount: default, trustDomain: cluster.local, hostname: localhost, workloadIps: [], protocol: TCP, node: remote,
           services: {"default/named.example.com": {80: 8080}}}
        services:
        - {name: svc, namespace: default, hostname: svc.default.svc.cluster.local, vips: ["/127.10.0.1"], ports: {80: 8080}}
        - {name: named, namespace: default, hostname: named.example.com, vips: ["/127.10.0.2"], ports: {80: 8080}}
        """;

    private readonly TestCertificateAuthority _authority = new();
    private readonly NetworkNamespace _namespace = NetworkNamespace.CreateUnnamed();
    private readonly StringBuilder _output = new();
    private readonly CancellationTokenSource _ended = new();
    private readonly Socket _application;
    private readonly string _crl = Path.Combine(Path.GetTempPath(), $"mesh-crl-{Guid.NewGuid():N}.pem");
    private IReadOnlyList<string> _issued = [];
    private WebApplication? _signing;
    private Process? _process;

    private DirectRig()
    {
        using (var ip = _namespace.StartProcess(new ProcessStartInfo(Prerequisites.FindTool("ip")!, ["link", "set", "lo", "up"]) { UseShellExecute = false }))
        {
            ip.WaitForExit();
            Assert.Equal(0, ip.ExitCode);
        }

        _application = Listen(IPAddress.Any, Port);
        _ = EchoAsync();
    }

    public static async Task<DirectRig> StartAsync(params (string Name, string Value)[] environment)
    {
        var rig = new DirectRig();
        try
        {
            rig.StartAuthority();
            rig.StartProxy(environment);
            await Wait.UntilAsync(async () => rig.HasEnded || await rig.IsReadyAsync(), () => $"readiness; so far: {rig.Output}");
            Assert.False(rig.HasEnded, rig.Output);
            return rig;
        }
        catch
        {
            await rig.DisposeAsync();
            throw;
        }
    }

    /// <summary>With somebody else on a port that the proxy needs.</summary>
    public static async Task<(int ExitCode, string Output)> StartBesideAsync(int takenPort)
    {
        await using var rig = new DirectRig();
        using var other = rig.Listen(IPAddress.Any, takenPort);
        rig.StartProxy([]);
        return (await rig.EndAsync(), rig.Output);
    }

    public string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    public bool HasEnded => _process!.HasExited;

    public long ResidentBytes
    {
        get
        {
            _process!.Refresh();
            return _process.WorkingSet64;
        }
    }

    public int Descriptors => Directory.GetFileSystemEntries($"/proc/{_process!.Id}/fd").Length;

    public async Task<int> EndAsync()
    {
        using var patience = new CancellationTokenSource(Command.Patience);
        await _process!.WaitForExitAsync(patience.Token);
        _process.WaitForExit(); // the readers of its output, too
        return _process.ExitCode;
    }

    public async Task TerminateAsync() => (await Command.RunAsync(["sh", "-c", $"kill -s TERM {_process!.Id}"])).Expect(0);

    /// <summary>Straight to one of the proxy's own ports.</summary>
    public Task<Socket> ConnectAsync(int port, CancellationToken cancel = default) => ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), cancel);

    public async Task<Socket> ConnectAsync(IPEndPoint address, CancellationToken cancel = default)
    {
        var socket = _namespace.Run(() => new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        await socket.ConnectAsync(address, cancel);
        return socket;
    }

    public async Task<HttpResponseMessage> AskAsync(HttpMethod method, int port, string path)
    {
        using var http = new HttpClient(new SocketsHttpHandler { ConnectCallback = async (context, cancel) => new NetworkStream(await ConnectAsync(context.DnsEndPoint.Port, cancel), ownsSocket: true) });
        return await http.SendAsync(new HttpRequestMessage(method, new Uri($"http://127.0.0.1:{port}{path}")));
    }

    /// <summary>Value of the only sample of a family whose labels hold all of these; null: there is none yet.</summary>
    public async Task<double?> MetricAsync(string name, params string[] labels)
    {
        var page = await (await AskAsync(HttpMethod.Get, 15020, "/metrics")).Content.ReadAsStringAsync();
        var line = page.Split('\n').SingleOrDefault(l => (l.StartsWith(name + "{", StringComparison.Ordinal) || l.StartsWith(name + " ", StringComparison.Ordinal)) && labels.All(t => l.Contains(t, StringComparison.Ordinal)));
        return line is null ? null : double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);
    }

    /// <summary>A program asks the proxy for a connection.</summary>
    /// <param name="target">An IPv4 address or a name.</param>
    public async Task<Socket> OpenAsync(string target, int port)
    {
        var socket = await ConnectAsync(15080);
        await socket.SendAsync(new byte[] { 5, 1, 0 });
        Assert.Equal([5, 0], await ReadAsync(socket, 2));
        byte[] address = IPAddress.TryParse(target, out var ip) ? [1, .. ip.GetAddressBytes()] : [3, (byte)target.Length, .. Encoding.ASCII.GetBytes(target)];
        await socket.SendAsync((byte[])[5, 1, 0, .. address, (byte)(port >> 8), (byte)port]);
        Assert.Equal([5, 0, 0, 1, 0, 0, 0, 0, 0, 0], await ReadAsync(socket, 10));
        return socket;
    }

    public static async Task EchoAsync(Socket socket, string text)
    {
        await socket.SendAsync(Encoding.ASCII.GetBytes(text));
        Assert.Equal(text, Encoding.ASCII.GetString(await ReadAsync(socket, text.Length)));
    }

    /// <summary>The closing line of a direction.</summary>
    public async Task<JsonElement> LineAsync(string direction)
    {
        JsonElement? found = null;
        await Wait.UntilAsync(() => (found = Find(direction)) is not null, () => $"the {direction} line in: {Output}");
        return found!.Value;
    }

    public async Task<Socket> DatagramsAsync(int port)
    {
        var socket = _namespace.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        await socket.ConnectAsync(IPAddress.Loopback, port);
        return socket;
    }

    /// <summary>One question over UDP, as a program that was captured would ask it.</summary>
    public async Task<byte[]> ResolveAsync(byte[] question)
    {
        using var socket = await DatagramsAsync(15053);
        await socket.SendAsync(question);
        var answer = new byte[512];
        using var patience = new CancellationTokenSource(Command.Patience);
        return answer[..await socket.ReceiveAsync(answer, patience.Token)];
    }

    /// <summary>The authority takes the workload's certificate back: the list that CRL_PATH names appears.</summary>
    public async Task RevokeAsync()
    {
        using var certificate = X509Certificate2.CreateFromPem(_issued[0]);
        await File.WriteAllBytesAsync(_crl + ".new", _authority.Revoke(certificate));
        File.Move(_crl + ".new", _crl, overwrite: true);
    }

    public async ValueTask DisposeAsync()
    {
        File.Delete(_crl);
        if (_process is { HasExited: false })
            _process.Kill();
        _process?.Dispose();
        await _ended.CancelAsync();
        _application.Dispose();
        if (_signing is not null)
            await _signing.DisposeAsync();
        _namespace.Dispose();
        _authority.Dispose();
        _ended.Dispose();
    }

    private static async Task<byte[]> ReadAsync(Socket socket, int count)
    {
        using var patience = new CancellationTokenSource(Command.Patience);
        var buffer = new byte[count];
        var read = 0;
        while (read < count && await socket.ReceiveAsync(buffer.AsMemory(read), patience.Token) is var more and > 0)
            read += more;
        return buffer[..read];
    }

    private JsonElement? Find(string direction)
    {
        foreach (var line in Output.Split('\n').Where(l => l.StartsWith('{')))
        {
            var json = JsonDocument.Parse(line).RootElement;
            if (json.GetProperty("message").GetString() == "connection complete" && json.GetProperty("direction").GetString() == direction)
                return json;
        }

        return null;
    }

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            return (await AskAsync(HttpMethod.Get, 15021, "/healthz/ready")).IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private Socket Listen(IPAddress address, int port) => _namespace.Run(() =>
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(address, port));
        socket.Listen(64);
        return socket;
    });

    private async Task EchoAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _application.AcceptAsync(_ended.Token));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The rig is taken down.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using (socket)
        {
            var buffer = new byte[4096];
            while (await socket.ReceiveAsync(buffer, _ended.Token) is var count and > 0)
                await socket.SendAsync(buffer.AsMemory(0, count), _ended.Token);
        }
    }

    /// <summary>Signs what the one workload asks for.</summary>
    private void StartAuthority()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 15012, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(_authority.IssueServer(["localhost"], [IPAddress.Loopback]));
        }));
        _signing = builder.Build();
        _signing.MapGrpcUnary(GrpcMethods.CreateCertificate, (request, _) =>
        {
            _issued = _authority.Sign(request.Csr, SpiffeId.Parse("spiffe://cluster.local/ns/default/sa/default"));
            return Task.FromResult(new IstioCertificateResponse { CertChain = { _issued } });
        });
        // The listener is bound by the calling thread, and stays where it was bound.
        _namespace.Run(() => _signing.StartAsync().GetAwaiter().GetResult());
    }

    private void StartProxy((string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Repository.Program("ztunnel")) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in ((string, string)[])[
            ("PROXY_MODE", "dedicated"), ("PROXY_WORKLOAD_INFO", "default/local/default"), ("NODE_NAME", "local"), ("LOCAL_XDS", Registry), ("XDS_ADDRESS", ""),
            ("CA_ADDRESS", "https://127.0.0.1:15012"), ("CA_ROOT_CA", _authority.RootPem), ("UNSTABLE_ENABLE_SOCKS5", "true"), ("LOG_FORMAT", "json"), ("CRL_PATH", _crl), .. environment])
        {
            start.Environment[name] = value;
        }

        _process = _namespace.StartProcess(start);
        _process.OutputDataReceived += (_, line) => Said(line.Data);
        _process.ErrorDataReceived += (_, line) => Said(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    private void Said(string? line)
    {
        lock (_output)
            _output.Append(line).Append('\n');
    }

}

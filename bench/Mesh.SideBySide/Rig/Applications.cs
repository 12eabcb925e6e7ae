namespace Mesh.SideBySide.Rig;

/// <summary>What is asked: nginx with a short answer, nghttpd with what looks like a short gRPC answer, and iperf3, all in the server's namespace.</summary>
internal sealed class Applications(Network network, string folder) : IAsyncDisposable
{
    public const int Port = 8080;
    public const int Http2Port = 8081;
    public const int BulkPort = 5201;

    private RigProcess? _nginx;
    private RigProcess? _http2;
    private RigProcess? _iperf;

    public async Task StartAsync()
    {
        var conf = Path.Combine(folder, "application.conf");
        await File.WriteAllTextAsync(conf, $$"""
            daemon off;
            pid {{folder}}/application.pid;
            error_log {{folder}}/application.log;
            worker_processes {{Environment.ProcessorCount}};
            events { worker_connections {{OpenFiles() - 100}}; }
            http {
                access_log off;
                keepalive_requests 1000000000;
                keepalive_timeout 1h;
                client_header_timeout 1h;
                server {
                    listen {{Port}} backlog=8192;
                    location / { return 200 "{{new string('x', 128)}}"; }
                }
            }
            """);
        _nginx = RigProcess.Start(Network.In(network.Server, "nginx", "-c", conf), Path.Combine(folder, "application.out"));
        _iperf = RigProcess.Start(Network.In(network.Server, "iperf3", "-s", "-p", $"{BulkPort}"), Path.Combine(folder, "iperf3.out"));
        // A message of 32 bytes with its prefix (gRPC over HTTP/2, Length-Prefixed-Message); the status comes as a trailer.
        var pages = Directory.CreateDirectory(Path.Combine(folder, "pages")).FullName;
        await File.WriteAllBytesAsync(Path.Combine(pages, "unary"), [0, 0, 0, 0, 32, .. new byte[32]]);
        _http2 = RigProcess.Start(
            Network.In(network.Server, "nghttpd", "--no-tls", "-n", $"{Environment.ProcessorCount}", "-d", pages, "--trailer", "grpc-status: 0", "-a", Network.ServerAddress, $"{Http2Port}"),
            Path.Combine(folder, "nghttpd.out"));
        await Readiness.OfHttpAsync(network, network.Server, Network.ServerAddress, Port, "/", _nginx);
    }

    /// <summary>What this process, and so the programs it starts, may have open.</summary>
    public static int OpenFiles() =>
        int.Parse(File.ReadLines("/proc/self/limits").First(l => l.StartsWith("Max open files", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[3]);

    public async ValueTask DisposeAsync()
    {
        if (_nginx is { } nginx)
            await nginx.DisposeAsync();
        if (_http2 is { } http2)
            await http2.DisposeAsync();
        if (_iperf is { } iperf)
            await iperf.DisposeAsync();
    }
}

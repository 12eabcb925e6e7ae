using System.Diagnostics;
using System.Globalization;
using Google.Protobuf;
using Mesh.Testing;
using Mesh.Waypoint.Tests.Balancing;

namespace Mesh.Waypoint.Tests.Harness;

/// <summary>A service by other people's code that a waypoint calls: a script of <c>Services/</c> that prints its port and ends with its input.</summary>
internal sealed class PythonService : IDisposable
{
    private readonly Process _process;

    private PythonService(Process process, int port)
    {
        _process = process;
        Port = port;
    }

    public int Port { get; }

    public StreamReader Output => _process.StandardOutput;

    public static async Task<PythonService> StartAsync(string script, params string[] arguments)
    {
        var folder = AppContext.BaseDirectory;
        var start = new ProcessStartInfo(PythonGrpcFactAttribute.Python ?? "python3", ["-X", "utf8", Path.Combine(folder, "Services", script), .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        var process = Process.Start(start)!;
        var line = await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60));
        return new PythonService(process, int.Parse(line ?? throw new InvalidOperationException($"{script} ended before it printed its port"), CultureInfo.InvariantCulture));
    }

    public static Task<PythonService> GrpcAsync() => StartAsync("grpc_services.py", Path.Combine(AppContext.BaseDirectory, "Protos"));

    /// <summary>A cluster with one endpoint on this machine.</summary>
    public static V1.Cluster Cluster(string name, int port)
    {
        var endpoint = Clusters.Endpoint(1, port);
        endpoint.Address = ByteString.CopyFrom(127, 0, 0, 1);
        return new V1.Cluster { Name = name, Namespace = "infra", Hostname = "service.infra", Port = 9000, Endpoints = { endpoint } };
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.Dispose();
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Mesh.ControlPlane.Scale;

/// <summary>istiod-lite as a process of its own, with what the kernel knows of its cost.</summary>
internal sealed partial class ServerProcess : IDisposable
{
    private static readonly string _program = Path.Combine(AppContext.BaseDirectory, "istiod-lite.dll");
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(3);

    private readonly Process _process;
    private readonly string _state;

    private ServerProcess(Process process, string state, Uri discovery, TimeSpan loaded) => (_process, _state, Discovery, Loaded) = (process, state, discovery, loaded);

    public Uri Discovery { get; }

    /// <summary>From the start of the process to the listening port.</summary>
    public TimeSpan Loaded { get; }

    public string RootCertificate => Path.Combine(_state, "root-cert.pem");

    /// <summary>User and system time so far.</summary>
    public TimeSpan Processor
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    public double ResidentMegabytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64 / 1e6;
        }
    }

    public static async Task<ServerProcess> StartAsync(string config, string state)
    {
        var began = Stopwatch.GetTimestamp();
        var process = Run("run", "--config-dir", config, "--state-dir", state, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log", "info,xds=warn,config=warn");
        process.ErrorDataReceived += (_, e) => Console.Error.WriteLine(e.Data);
        process.BeginErrorReadLine();
        using var limit = new CancellationTokenSource(_patience);
        while (await process.StandardOutput.ReadLineAsync(limit.Token) is { } line)
        {
            if (DiscoveryLine().Match(line) is not { Success: true } match)
                continue;
            var server = new ServerProcess(process, state, new Uri("https://" + match.Groups[1].Value), Stopwatch.GetElapsedTime(began));
            process.OutputDataReceived += (_, _) => { };
            _ = DrainAsync(process.StandardOutput);
            return server;
        }

        throw new InvalidOperationException("istiod-lite ended before it listened; its message is above");
    }

    public async Task<string> TokenAsync()
    {
        using var process = Run("token", "--state-dir", _state, "--node", "scale");
        var token = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return token.Trim();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private static async Task DrainAsync(StreamReader output)
    {
        while (await output.ReadLineAsync() is not null)
        {
            // A full pipe would stop the server.
        }
    }

    private static Process Run(params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) is "dotnet" ? host : "dotnet")
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = arguments[0] is "run",
        };
        foreach (var argument in (string[])[_program, .. arguments])
            start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    [GeneratedRegex(@"discovery and certificates on https://(\S+)")]
    private static partial Regex DiscoveryLine();
}

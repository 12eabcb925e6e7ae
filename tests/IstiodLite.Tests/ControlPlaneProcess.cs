using System.Diagnostics;
using System.Text.RegularExpressions;
using System.Threading.Channels;
using Mesh.Xds.Grpc;

namespace Mesh.IstiodLite.Tests;

/// <summary>The real executable with folders of its own, on ports that the system chose. Ends with the test.</summary>
internal sealed partial class ControlPlaneProcess : IAsyncDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);
    private readonly string _root;
    private readonly Process _process;
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();

    private ControlPlaneProcess(Process process, string root) => (_process, _root) = (process, root);

    public static string Executable => Path.Combine(AppContext.BaseDirectory, "istiod-lite");

    public string Config => Path.Combine(_root, "config");
    public string State => Path.Combine(_root, "state");
    public string RootCertificate => Path.Combine(State, "root-cert.pem");
    public Uri Discovery { get; private set; } = new("https://localhost");
    public Uri Admin { get; private set; } = new("http://localhost");

    public static Task<ControlPlaneProcess> StartAsync(params string[] documents) => StartAsync([], documents);

    public static async Task<ControlPlaneProcess> StartAsync(string[] arguments, string[] documents)
    {
        var root = Directory.CreateTempSubdirectory("istiod-lite-test-").FullName;
        Directory.CreateDirectory(Path.Combine(root, "config"));
        for (var i = 0; i < documents.Length; i++)
            await File.WriteAllTextAsync(Path.Combine(root, "config", $"{i}.yaml"), documents[i]);
        var process = Launch(["--config-dir", Path.Combine(root, "config"), "--state-dir", Path.Combine(root, "state"), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", .. arguments]);
        var started = new ControlPlaneProcess(process, root);
        process.OutputDataReceived += (_, e) => started._lines.Writer.TryWrite(e.Data ?? "(end of output)");
        process.BeginOutputReadLine();
        started.Admin = new Uri("http://" + await started.WaitForLineAsync(AdminLine()));
        started.Discovery = new Uri("https://" + await started.WaitForLineAsync(DiscoveryLine()));
        return started;
    }

    public static Process Launch(params string[] arguments)
    {
        var start = new ProcessStartInfo(Executable, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DOTNET_TieredPGO"] = "0";
        return Process.Start(start)!;
    }

    public static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using var process = Launch(arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(_patience);
        await process.WaitForExitAsync(limit.Token);
        return (process.ExitCode, await output, await error);
    }

    /// <summary>Writes a document as careful programs do: under another name, then renamed.</summary>
    public void Write(string name, string text)
    {
        var temporary = Path.Combine(Config, "." + name + ".new");
        File.WriteAllText(temporary, text);
        File.Move(temporary, Path.Combine(Config, name), overwrite: true);
    }

    public async Task<string> TokenAsync(params string[] whom)
    {
        var (code, output, error) = await RunAsync(["token", "--state-dir", State, .. whom]);
        Assert.True(code == 0, error);
        return output.Trim();
    }

    public async Task<GrpcChannel> ConnectAsync(params string[] whom) => new(new GrpcChannelOptions
    {
        Address = Discovery,
        Trust = GrpcServerTrust.FromFile(RootCertificate),
        Credentials = whom.Length == 0 ? null : TokenCredentials.FromLiteral(await TokenAsync(whom), "Kubernetes"),
    });

    public async Task<string> GetAsync(string path)
    {
        using var http = new HttpClient { BaseAddress = Admin };
        return await http.GetStringAsync(path);
    }

    public async Task<int> StopAsync()
    {
        using var kill = Process.Start("kill", ["-TERM", _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        using var limit = new CancellationTokenSource(_patience);
        await _process.WaitForExitAsync(limit.Token);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    private async Task<string> WaitForLineAsync(Regex pattern)
    {
        using var limit = new CancellationTokenSource(_patience);
        var seen = new List<string>();
        try
        {
            await foreach (var line in _lines.Reader.ReadAllAsync(limit.Token))
            {
                seen.Add(line);
                if (pattern.Match(line) is { Success: true } match)
                    return match.Groups[1].Value;
                if (line is "(end of output)")
                    break;
            }
        }
        catch (OperationCanceledException)
        {
            seen.Add("(no more within the time)");
        }
        throw new InvalidOperationException($"istiod-lite did not say {pattern}: {string.Join('\n', seen)}\n{(_process.HasExited ? await _process.StandardError.ReadToEndAsync() : "")}");
    }

    [GeneratedRegex(@"listener established\taddress=(\S+)")]
    private static partial Regex AdminLine();

    [GeneratedRegex(@"discovery and certificates on https://(\S+)")]
    private static partial Regex DiscoveryLine();
}

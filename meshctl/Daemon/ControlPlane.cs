using System.Net.Http.Json;
using System.Text.Json;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Local;
using Mesh.Meshctl.Topology;
using Mesh.Runtime;

namespace Mesh.Meshctl.Daemon;

/// <summary>istiod-lite in file mode, in the namespace <c>control</c> at 198.18.0.2.</summary>
internal sealed class ControlPlane(Executables programs, string certificateTtl, ComponentSet components, TimeProvider time)
{
    public const string Name = "istiod-lite";

    private const int DiscoveryPort = 15012;
    private const int AdminPort = 15014;
    private static readonly TimeSpan ReadyDeadline = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan SettleDeadline = TimeSpan.FromSeconds(5);

    private readonly HttpClient _http = new() { BaseAddress = new Uri($"http://{AddressPlan.ControlPlane}:{AdminPort}"), Timeout = TimeSpan.FromSeconds(5) };

    public static string DiscoveryAddress => $"https://{AddressPlan.ControlPlane}:{DiscoveryPort}";

    public Executables Programs => programs;

    /// <summary>Lifetime that every proxy asks for.</summary>
    public string CertificateTtl => certificateTtl;

    public async Task StartAsync(CancellationToken cancel)
    {
        components.Start(new ComponentPlan
        {
            Name = Name,
            Where = NetworkBuilder.ControlNamespace,
            Command =
            [
                .. Namespaces.EnterNetwork(NetworkBuilder.PathOf(NetworkBuilder.ControlNamespace)),
                programs.IstiodLite,
                "--config-dir", MeshPaths.Config,
                "--state-dir", MeshPaths.ControlPlaneState,
                "--listen", $"{AddressPlan.ControlPlane}:{DiscoveryPort}",
                "--admin", $"{AddressPlan.ControlPlane}:{AdminPort}",
            ],
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["TMPDIR"] = MeshPaths.Temporary },
            Log = components.LogOf(Name),
        });
        await ReadinessProbe.WaitAsync(_http, "/ready", Name, components.LogOf(Name), ReadyDeadline, time, cancel);
    }

    /// <summary>A file with the token that says who its holder is: a node agent, or one workload.</summary>
    public async Task<string> TokenAsync(string kind, string subject, CancellationToken cancel)
    {
        var token = await Tool.RunAsync([programs.IstiodLite, "token", "--state-dir", MeshPaths.ControlPlaneState, $"--{kind}", subject], cancel: cancel);
        if (!token.Ok)
            throw new MeshctlException(ExitCodes.Unavailable, $"istiod-lite issues no token for {subject}: {token.Reason}.");
        var file = Path.Combine(MeshPaths.Tokens, $"{kind}-{subject.Replace('/', '.')}");
        await File.WriteAllTextAsync(file, token.Output.Trim(), cancel);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }

    /// <summary>What it says about documents now; nothing when it does not answer (its state is shown beside).</summary>
    public async Task<List<DocumentProblem>> TryProblemsAsync(CancellationToken cancel)
    {
        try
        {
            return await ProblemsAsync(cancel);
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancel.IsCancellationRequested)
        {
            return [];
        }
    }

    /// <summary>What is wrong there although it serves, one sentence each: documents, clients that refuse, a full disk. Empty while it cannot be asked.</summary>
    public async Task<List<string>> TryFaultsAsync(CancellationToken cancel)
    {
        try
        {
            return ReadFaults(await _http.GetStringAsync(new Uri("/ready", UriKind.Relative), cancel));
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancel.IsCancellationRequested)
        {
            return [];
        }
    }

    /// <summary>Of the readiness page: all but its first line.</summary>
    internal static List<string> ReadFaults(string page) => [.. page.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1)];

    /// <summary>What it would say about a folder; nothing of it comes into force.</summary>
    public async Task<List<DocumentProblem>> ValidateAsync(string directory, CancellationToken cancel)
    {
        var opinion = await Tool.RunAsync([programs.IstiodLite, "analyze", "--output", "json", directory], cancel: cancel);
        if (opinion.ExitCode is not (ExitCodes.Ok or ExitCodes.Data))
            throw new MeshctlException(ExitCodes.Unavailable, $"istiod-lite could not look at the documents: {opinion.Reason}.");
        using var json = JsonDocument.Parse(opinion.Output);
        return json.RootElement.Deserialize(ControlJson.Default.ListDocumentProblem) ?? [];
    }

    /// <summary>Completes when what is in the folder now has been read and every connected proxy has accepted it. A proxy that hangs delays it, but not for ever.</summary>
    public async Task SettleAsync(CancellationToken cancel)
    {
        try
        {
            await _http.GetStringAsync(new Uri("/debug/refresh", UriKind.Relative), cancel);
            var started = time.GetTimestamp();
            while (!AllAccepted(await _http.GetStringAsync(new Uri("/debug/syncz", UriKind.Relative), cancel)) && time.GetElapsedTime(started) < SettleDeadline)
                await Task.Delay(TimeSpan.FromMilliseconds(10), time, cancel);
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancel.IsCancellationRequested)
        {
            // It is being restarted; it reads the folder when it is back.
        }
    }

    internal static bool AllAccepted(string syncz)
    {
        using var streams = JsonDocument.Parse(syncz);
        return streams.RootElement.EnumerateArray().All(s => !s.GetProperty("pending").GetBoolean() && s.GetProperty("types").EnumerateArray().All(t => t.GetProperty("synced").GetBoolean()));
    }

    /// <summary>What ProxyConfigs add to the environment of each waypoint, by namespace/name. Null: it does not answer now.</summary>
    public async Task<Dictionary<string, SortedDictionary<string, string>>?> TryWaypointEnvironmentsAsync(CancellationToken cancel)
    {
        try
        {
            await _http.GetStringAsync(new Uri("/debug/refresh", UriKind.Relative), cancel);
            return ReadEnvironments(await _http.GetStringAsync(new Uri("/debug/waypoints", UriKind.Relative), cancel));
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancel.IsCancellationRequested)
        {
            return null;
        }
    }

    internal static Dictionary<string, SortedDictionary<string, string>> ReadEnvironments(string page)
    {
        using var waypoints = JsonDocument.Parse(page);
        return waypoints.RootElement.EnumerateObject().ToDictionary(
            w => w.Name,
            w => new SortedDictionary<string, string>(w.Value.GetProperty("environment").EnumerateObject().ToDictionary(v => v.Name, v => v.Value.GetString() ?? string.Empty, StringComparer.Ordinal), StringComparer.Ordinal),
            StringComparer.Ordinal);
    }

    private async Task<List<DocumentProblem>> ProblemsAsync(CancellationToken cancel) =>
        await _http.GetFromJsonAsync("/debug/problems", ControlJson.Default.ListDocumentProblem, cancel) ?? [];

    /// <summary>What every proxy needs to find the control plane and trust it.</summary>
    public static Dictionary<string, string> ProxyEnvironment(string tokenFile) => new(StringComparer.Ordinal)
    {
        ["XDS_ADDRESS"] = DiscoveryAddress,
        ["CA_ADDRESS"] = DiscoveryAddress,
        ["XDS_ROOT_CA"] = MeshPaths.RootCertificate,
        ["CA_ROOT_CA"] = MeshPaths.RootCertificate,
        ["AUTH_TOKEN"] = tokenFile,
        ["CLUSTER_ID"] = "Kubernetes",
        ["TRUST_DOMAIN"] = "cluster.local",
        ["TMPDIR"] = MeshPaths.Temporary,
    };
}

namespace Mesh.SideBySide.Rig;

/// <summary>istiod-lite in the server's namespace: documents, tokens and certificates for the mesh's own programs.</summary>
internal sealed class ControlPlane(Network network, string root, string folder) : IAsyncDisposable
{
    private RigProcess? _process;

    public static string Address => $"https://{Network.ServerAddress}:15012";

    public string Tokens => Path.Combine(folder, "tokens");

    public string State => Path.Combine(folder, "state");

    public string RootCertificate => Path.Combine(State, "root-cert.pem");

    private string Program => Path.Combine(root, "istiod-lite/bin/Release/net10.0/istiod-lite");

    private string Documents => Path.Combine(folder, "documents");

    public async Task StartAsync()
    {
        Directory.CreateDirectory(Documents);
        Directory.CreateDirectory(Tokens);
        await ApplyAsync("base", MeshDocuments.Base);
        await ApplyAsync("routes", MeshDocuments.Routes(MeshDocuments.RouteCount));
        _process = RigProcess.Start(
            Network.In(network.Server, Program, "--config-dir", Documents, "--state-dir", State, "--listen", $"{Network.ServerAddress}:15012", "--admin", $"{Network.ServerAddress}:15014"),
            Path.Combine(folder, "istiod-lite.log"));
        await Readiness.OfHttpAsync(network, network.Server, Network.ServerAddress, 15014, "/ready", _process);
        foreach (var account in (string[])["client", "server", "waypoint"])
            await WriteTokenAsync(account, "--workload", $"default/{account}/{account}");
        await WriteTokenAsync("node-near", "--node", "node-near");
    }

    private async Task WriteTokenAsync(string name, params string[] holder) =>
        await File.WriteAllTextAsync(Path.Combine(Tokens, name), (await Tool.RunAsync([Program, "token", "--state-dir", State, .. holder])).Trim());

    /// <summary>Puts a document in force; an empty one takes it away. Written aside and renamed, so that no half is read.</summary>
    public async Task ApplyAsync(string name, string yaml)
    {
        var target = Path.Combine(Documents, name + ".yaml");
        if (yaml.Length == 0)
        {
            File.Delete(target);
            return;
        }

        var aside = Path.Combine(folder, name + ".new");
        await File.WriteAllTextAsync(aside, yaml);
        File.Move(aside, target, overwrite: true);
    }

    /// <summary>Returns when the documents that are there have been read.</summary>
    public Task<TimeSpan> SettleAsync() => Readiness.OfHttpAsync(network, network.Server, Network.ServerAddress, 15014, "/debug/refresh", _process);

    public async ValueTask DisposeAsync()
    {
        if (_process is { } process)
            await process.DisposeAsync();
    }
}

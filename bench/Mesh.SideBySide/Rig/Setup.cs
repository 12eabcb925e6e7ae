namespace Mesh.SideBySide.Rig;

/// <summary>The whole rig: network, applications, control plane, and the peers that were asked for.</summary>
internal sealed class Setup : IAsyncDisposable
{
    private readonly Applications _applications;
    private readonly Dictionary<string, PeerFile> _files;
    private readonly Dictionary<string, Peer> _peers = new(StringComparer.Ordinal);
    private readonly bool _keep;

    public Setup(RunOptions options)
    {
        Root = options.Root;
        Ztunnel = options.Ztunnel;
        _keep = options.Keep;
        Folder = Directory.CreateTempSubdirectory("mesh-bench-").FullName;
        File.SetUnixFileMode(Folder, (UnixFileMode)0b111_101_101); // nginx's workers are another user
        _applications = new Applications(Network, Folder);
        Control = new ControlPlane(Network, Root, Folder);
        _files = Directory.GetFiles(Path.Combine(Root, "bench/side-by-side/peers"), "*.sh").Concat(options.Peers).Select(PeerFile.Read).ToDictionary(p => p.Name, StringComparer.Ordinal);
    }

    public string Root { get; }

    public string Folder { get; }

    public string? Ztunnel { get; }

    public string Certificates => Path.Combine(Folder, "certificates");

    public string Token { get; } = MeshDocuments.Token();

    public Network Network { get; } = new();

    public ControlPlane Control { get; }

    public IReadOnlyCollection<PeerFile> Files => _files.Values;

    public async Task BuildAsync()
    {
        await Network.BuildAsync();
        await TestCertificates.WriteAsync(Certificates);
        await _applications.StartAsync();
        await Control.StartAsync();
    }

    /// <summary>Starts a peer, and those that it needs, once.</summary>
    public async Task<Peer> PeerAsync(string name)
    {
        if (_peers.TryGetValue(name, out var running))
            return running;
        if (!_files.TryGetValue(name, out var file))
            throw new BenchException($"there is no peer '{name}' (known: {string.Join(", ", _files.Keys.Order(StringComparer.Ordinal))})");
        foreach (var other in _peers.Keys.Where(other => file.Instead.Contains(other) || _files[other].Instead.Contains(name)).ToList())
            await StopAsync(other);
        var with = new List<Peer>();
        foreach (var other in file.With)
            with.Add(await PeerAsync(other));
        return _peers[name] = await Peer.StartAsync(file, this, with);
    }

    /// <summary>Ends a peer and those that need it, so that the next use starts them anew.</summary>
    public async Task StopAsync(string name)
    {
        foreach (var dependent in _peers.Values.Where(p => p.File.With.Contains(name)).Select(p => p.Name).ToList())
            await StopAsync(dependent);
        if (_peers.Remove(name, out var peer))
            await peer.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var peer in _peers.Values.Reverse())
            await peer.DisposeAsync();
        await Control.DisposeAsync();
        await _applications.DisposeAsync();
        await Network.DisposeAsync();
        if (!_keep)
            Directory.Delete(Folder, recursive: true);
    }
}

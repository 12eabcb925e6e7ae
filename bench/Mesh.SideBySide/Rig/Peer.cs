using System.Diagnostics;

namespace Mesh.SideBySide.Rig;

/// <summary>A peer whose processes run.</summary>
internal sealed class Peer(PeerFile file, IReadOnlyList<(string Side, RigProcess Process)> own, IReadOnlyList<Peer> with) : IAsyncDisposable
{
    public PeerFile File { get; } = file;

    public string Name => File.Name;

    /// <summary>From the start of a process until it says it is ready, per side; only of peers that say.</summary>
    public Dictionary<string, TimeSpan> StartTimes { get; } = new(StringComparer.Ordinal);

    public IEnumerable<int> ProcessIds => own.Select(p => p.Process.Id).Concat(with.SelectMany(p => p.ProcessIds));

    public IReadOnlyList<(string Side, RigProcess Process)> Own => own;

    public static async Task<Peer> StartAsync(PeerFile file, Setup setup, IReadOnlyList<Peer> with)
    {
        var folder = Path.Combine(setup.Folder, file.Name);
        Directory.CreateDirectory(folder);
        var processes = new List<(string, RigProcess)>();
        var peer = new Peer(file, processes, with);
        foreach (var side in file.Sides)
        {
            var watch = Stopwatch.StartNew();
            var process = RigProcess.Start(Network.In(setup.Network.Of(side), file.Path, side), Path.Combine(folder, side + ".log"), Environment(setup, folder, side));
            processes.Add((side, process));
            if (file.ReadyPort is not { } port)
                continue;
            await Readiness.OfHttpAsync(setup.Network, setup.Network.Of(side), "127.0.0.1", port, "/healthz/ready", process);
            peer.StartTimes[side] = watch.Elapsed;
        }

        await setup.Network.CaptureAsync(file.Capture);
        await Readiness.OfHttpAsync(setup.Network, setup.Network.Client, file.Url.Host, file.Url.Port, "/", processes.Count > 0 ? processes[^1].Item2 : null, file.NeedsToken ? setup.Token : null);
        return peer;
    }

    /// <summary>User and kernel time of all its processes so far.</summary>
    public TimeSpan Cpu() => ProcessFacts.Cpu(ProcessIds);

    public void ThrowIfEnded()
    {
        foreach (var (_, process) in own)
            process.ThrowIfEnded();
        foreach (var other in with)
            other.ThrowIfEnded();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (_, process) in own)
            await process.DisposeAsync();
    }

    private static Dictionary<string, string> Environment(Setup setup, string folder, string side)
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["ROOT"] = setup.Root,
            ["PEER_DIR"] = folder,
            ["CERTS"] = setup.Certificates,
            ["TOKENS"] = setup.Control.Tokens,
            ["CONTROL"] = ControlPlane.Address,
            ["CONTROL_ROOT"] = setup.Control.RootCertificate,
            ["CORES"] = $"{System.Environment.ProcessorCount}",
            ["CLIENT_ADDR"] = Network.ClientAddress,
            ["SERVER_ADDR"] = Network.ServerAddress,
            ["SIDE_ADDR"] = Network.AddressOf(side),
            ["APP_PORT"] = $"{Applications.Port}",
            ["H2_PORT"] = $"{Applications.Http2Port}",
            ["BULK_PORT"] = $"{Applications.BulkPort}",
            ["CLIENT_NS"] = $"/run/netns/{setup.Network.Client}",
            ["SERVER_NS"] = $"/run/netns/{setup.Network.Server}",
        };
        if (setup.Ztunnel is { } ztunnel)
            environment["ZTUNNEL"] = ztunnel;
        return environment;
    }
}

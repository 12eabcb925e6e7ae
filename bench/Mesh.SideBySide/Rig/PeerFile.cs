namespace Mesh.SideBySide.Rig;

/// <summary>What the head of a peer's file says. The file itself is a script that gets a side as its argument and becomes the proxy.</summary>
internal sealed record PeerFile
{
    public required string Name { get; init; }

    public required string Path { get; init; }

    /// <summary>Tunnel (TCP through a pair) or HTTP (one reverse proxy).</summary>
    public required string Kind { get; init; }

    /// <summary>Where it runs: client, server, middle.</summary>
    public required IReadOnlyList<string> Sides { get; init; }

    /// <summary>Peers that it needs; their processes count as its own.</summary>
    public required IReadOnlyList<string> With { get; init; }

    /// <summary>Peers that use the same ports in the same places: never at the same time.</summary>
    public required IReadOnlyList<string> Instead { get; init; }

    /// <summary>Ports that captured traffic is led to.</summary>
    public (int App, int Bulk)? Capture { get; init; }

    public required Uri Url { get; init; }

    /// <summary>Where it takes HTTP/2 without TLS, and gRPC for an application that speaks HTTP/2 itself; null: it has none.</summary>
    public (Uri? Http2, Uri? Grpc) OtherUrls { get; init; }

    /// <summary>A port that answers /healthz/ready, where the peer has one.</summary>
    public int? ReadyPort { get; init; }

    /// <summary>Requests carry a token.</summary>
    public bool NeedsToken { get; init; }

    public static PeerFile Read(string path)
    {
        var head = File.ReadLines(path).TakeWhile(l => l.StartsWith('#')).Select(l => l.TrimStart('#', ' ').Split(':', 2)).Where(p => p.Length == 2)
            .ToDictionary(p => p[0], p => p[1].Trim(), StringComparer.Ordinal);
        var capture = Words("capture").Select(int.Parse).ToArray();
        return new PeerFile
        {
            Name = System.IO.Path.GetFileNameWithoutExtension(path),
            Path = System.IO.Path.GetFullPath(path),
            Kind = head.GetValueOrDefault("kind") ?? throw new BenchException($"{path}: a peer's file begins with lines like '# kind: tunnel'"),
            Sides = Words("sides"),
            With = Words("with"),
            Instead = Words("instead"),
            Capture = capture.Length == 2 ? (capture[0], capture[1]) : null,
            Url = new Uri(head.GetValueOrDefault("url") ?? $"http://{Network.ServerAddress}:{Applications.Port}/"),
            OtherUrls = (Address("h2"), Address("grpc")),
            ReadyPort = head.TryGetValue("ready", out var port) ? int.Parse(port) : null,
            NeedsToken = head.GetValueOrDefault("token") == "yes",
        };

        Uri? Address(string key) => head.TryGetValue(key, out var url) ? new Uri(url) : null;
        string[] Words(string key) => head.GetValueOrDefault(key, string.Empty).Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }
}

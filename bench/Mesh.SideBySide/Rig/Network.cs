using Mesh.Net;

namespace Mesh.SideBySide.Rig;

/// <summary>Three network namespaces, every two joined by a veth: client 198.18.7.1, server 198.18.7.2, middle 198.18.7.3 (waypoints and HTTP proxies).</summary>
/// <remarks>Services' addresses are in 198.18.8.0/24. 198.18.7.9 is the server too, but no workload of any mesh: traffic to it passes through.
/// So is 198.18.7.12, a pod that has its client on the same node.</remarks>
internal sealed class Network : IAsyncDisposable
{
    public const string ClientAddress = "198.18.7.1";
    public const string ServerAddress = "198.18.7.2";
    public const string MiddleAddress = "198.18.7.3";
    public const string StrangerAddress = "198.18.7.9";
    public const string NearAddress = "198.18.7.12";

    /// <summary>Of every connection in the rig: the kernel's usual one, or the one that each kernel has where that may not be chosen in a namespace.</summary>
    /// <remarks>A distribution's choice of a pacing one would measure its timers.</remarks>
    public static string CongestionControl { get; private set; } = "?";

    private readonly string _prefix = $"meshbench{Environment.ProcessId}-";

    public string Client => _prefix + "c";

    public string Server => _prefix + "s";

    public string Middle => _prefix + "m";

    public string Of(string side) => side switch { "client" => Client, "server" => Server, _ => Middle };

    public static string AddressOf(string side) => side switch { "client" => ClientAddress, "server" => ServerAddress, _ => MiddleAddress };

    /// <summary>The command as it runs inside a namespace.</summary>
    public static IReadOnlyList<string> In(string ns, params IEnumerable<string> command) => ["ip", "netns", "exec", ns, .. command];

    public NetworkNamespace Open(string ns) => NetworkNamespace.Open($"/run/netns/{ns}");

    public async Task BuildAsync()
    {
        await Batch(null, $"""
            netns add {Client}
            netns add {Server}
            netns add {Middle}
            link add mbcs type veth peer name mbsc netns {Server}
            link set mbcs netns {Client}
            link add mbcm type veth peer name mbmc netns {Middle}
            link set mbcm netns {Client}
            link add mbms type veth peer name mbsm netns {Server}
            link set mbms netns {Middle}
            """);
        await Batch(Client, Links(ClientAddress, ("mbcs", ServerAddress), ("mbcm", MiddleAddress)) + $"\nroute add {StrangerAddress} dev mbcs\nroute add {NearAddress} dev mbcs\nroute add 198.18.8.0/24 via {ServerAddress}");
        await Batch(Server, Links(ServerAddress, ("mbsc", ClientAddress), ("mbsm", MiddleAddress)) + $"\naddr add {StrangerAddress}/32 dev lo\naddr add {NearAddress}/32 dev lo");
        await Batch(Middle, Links(MiddleAddress, ("mbmc", ClientAddress), ("mbms", ServerAddress)));
        foreach (var ns in (string[])[Client, Server, Middle])
        {
            // Thousands of short connections between two addresses need all the ports there are, and soon again.
            const string Script = "cd /proc/sys/net; echo '2000 65535' > ipv4/ip_local_port_range; echo 1 > ipv4/tcp_tw_reuse; echo 65535 > core/somaxconn; { echo cubic > ipv4/tcp_congestion_control || echo reno > ipv4/tcp_congestion_control; } 2>/dev/null; echo 0 > ipv4/conf/all/rp_filter; for f in ipv4/conf/*/rp_filter; do echo 0 > $f; done; cat ipv4/tcp_congestion_control";
            CongestionControl = (await Tool.RunAsync(In(ns, "sh", "-c", Script))).Trim();
        }
    }

    /// <summary>Leads what the client sends to the application (and to services) to these two local ports; null: nowhere.</summary>
    public Task CaptureAsync((int App, int Bulk)? ports)
    {
        var rules = ports is not { } p ? string.Empty : $$"""
                chain output {
                    type nat hook output priority -100; policy accept;
                    meta mark & 0xfff == 0x539 accept
                    ip daddr { {{ServerAddress}}, {{StrangerAddress}}, {{NearAddress}} } tcp dport {{Applications.Port}} redirect to :{{p.App}}
                    ip daddr { {{ServerAddress}}, {{StrangerAddress}}, {{NearAddress}} } tcp dport {{Applications.BulkPort}} redirect to :{{p.Bulk}}
                    ip daddr 198.18.8.0/24 tcp dport 80 redirect to :{{p.App}}
                }
            """;
        return Tool.RunAsync(In(Client, "nft", "-f", "-"), $"add table ip bench\ndelete table ip bench\ntable ip bench {{\n{rules}\n}}\n");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var ns in (string[])[Client, Server, Middle])
        {
            try
            {
                await Tool.RunAsync(["ip", "netns", "del", ns]);
            }
            catch (BenchException)
            {
                // It was never made.
            }
        }
    }

    private static string Links(string own, params (string Device, string Peer)[] links) =>
        "link set lo up\n" + string.Join('\n', links.Select(l => $"addr add {own} peer {l.Peer} dev {l.Device}\nlink set {l.Device} up"));

    private static Task<string> Batch(string? ns, string commands) =>
        Tool.RunAsync(ns is null ? ["ip", "-batch", "-"] : ["ip", "-n", ns, "-batch", "-"], commands + "\n");
}

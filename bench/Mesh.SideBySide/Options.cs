using CommandLine;

namespace Mesh.SideBySide;

/// <summary>What the command line says about a whole run.</summary>
[Verb("run", isDefault: true, HelpText = "Measure everything (bench/side-by-side/run.sh calls this).")]
internal sealed class RunOptions
{
    [Option("root", Required = true, HelpText = "The clone.")]
    public string Root { get; set; } = string.Empty;

    [Option("quick", HelpText = "One short round: for development only.")]
    public bool Quick { get; set; }

    [Option("only", HelpText = "Only rows whose name contains one of these.")]
    public IEnumerable<string> Only { get; set; } = [];

    [Option("brief", HelpText = "Only what the rows of the table need, nothing beside them.")]
    public bool Brief { get; set; }

    [Option("list", HelpText = "Print the names of the rows.")]
    public bool List { get; set; }

    [Option("rounds", Default = 5)]
    public int Rounds { get; set; }

    [Option("seconds", Default = 4, HelpText = "Length of one measurement.")]
    public int Seconds { get; set; }

    [Option("peer", HelpText = "Files of further peers.")]
    public IEnumerable<string> Peers { get; set; } = [];

    [Option("ztunnel", HelpText = "Another ztunnel with the same settings in the place of ours.")]
    public string? Ztunnel { get; set; }

    [Option("results", HelpText = "Where the dated result goes; default bench/results.")]
    public string? Results { get; set; }

    [Option("keep", HelpText = "Keep the working folder with configurations and logs.")]
    public bool Keep { get; set; }
}

/// <summary>How cost grows.</summary>
[Verb("growth", HelpText = "Measure how cost grows with connections, services, workloads, policies and routes; one plot each (bench/side-by-side/growth.sh calls this).")]
internal sealed class GrowthOptions
{
    [Option("root", Required = true, HelpText = "The clone.")]
    public string Root { get; set; } = string.Empty;

    [Option("only", HelpText = "Only these axes.")]
    public IEnumerable<string> Only { get; set; } = [];

    [Option("most", HelpText = "No more than so many of anything.")]
    public int Most { get; set; }

    [Option("seconds", Default = 2, HelpText = "Length of one measurement.")]
    public int Seconds { get; set; }

    [Option("results", HelpText = "Where the dated result and the plots go; default bench/results.")]
    public string? Results { get; set; }
}

/// <summary>Memory of idle connections.</summary>
[Verb("idle", HelpText = "How the memory of a pair of agents grows with idle connections (bench/side-by-side/run.sh --idle calls this).")]
internal sealed class IdleOptions
{
    [Option("root", Required = true, HelpText = "The clone.")]
    public string Root { get; set; } = string.Empty;

    [Option("connections", Default = 100_000, HelpText = "At most; ports and descriptors may allow fewer.")]
    public int Connections { get; set; }

    [Option("ztunnel", HelpText = "Another ztunnel with the same settings in the place of ours.")]
    public string? Ztunnel { get; set; }

    [Option("results", HelpText = "Where the dated result goes; default bench/results.")]
    public string? Results { get; set; }
}

/// <summary>Our waypoint's request path on plain sockets.</summary>
[Verb("waypoint", HelpText = "The waypoint's request path on plain sockets, as a peer of the HTTP rows.")]
internal sealed class WaypointOptions
{
    [Option("listen", Required = true)]
    public string Listen { get; set; } = string.Empty;

    [Option("upstream", Required = true)]
    public string Upstream { get; set; } = string.Empty;

    [Option("listen-grpc", Required = true)]
    public string ListenGrpc { get; set; } = string.Empty;

    [Option("upstream-grpc", Required = true, HelpText = "An application that speaks HTTP/2.")]
    public string UpstreamGrpc { get; set; } = string.Empty;
}

/// <summary>The open-loop generator.</summary>
[Verb("load", HelpText = "Requests at a fixed rate, whatever the answers do; or idle connections.")]
internal sealed class LoadOptions
{
    [Option("url", Required = true)]
    public string Url { get; set; } = string.Empty;

    [Option("rate", Default = 1000, HelpText = "Requests per second over all connections.")]
    public int Rate { get; set; }

    [Option("connections", Default = 16)]
    public int Connections { get; set; }

    [Option("seconds", Default = 4)]
    public int Seconds { get; set; }

    [Option("idle", HelpText = "No requests: open the connections, say so, and hold them until standard input ends.")]
    public bool Idle { get; set; }
}

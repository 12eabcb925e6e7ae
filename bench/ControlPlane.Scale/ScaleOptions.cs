using CommandLine;

namespace Mesh.ControlPlane.Scale;

internal sealed class ScaleOptions
{
    [Option("pods", Default = 10_000, HelpText = "Pods, one file each.")]
    public int Pods { get; set; }

    [Option("services", Default = 1_000, HelpText = "Services; pods are spread over them.")]
    public int Services { get; set; }

    [Option("agents", Default = 200, HelpText = "Simulated node agents, one TLS connection each.")]
    public int Agents { get; set; }

    [Option("rate", Default = 50, HelpText = "Changes per second.")]
    public int Rate { get; set; }

    [Option("seconds", Default = 10, HelpText = "Length of one round of changes.")]
    public int Seconds { get; set; }

    [Option("rounds", Default = 3, HelpText = "Rounds of changes; the spread is over them.")]
    public int Rounds { get; set; }

    [Option("stalled", Default = 0, HelpText = "Agents beside the others that ask for everything and never read.")]
    public int Stalled { get; set; }

    [Option("append", HelpText = "File to which one line of figures (tab separated) is added, for comparing sizes.")]
    public string? Append { get; set; }

    public bool IsGoalSize => Pods == 10_000 && Services == 1_000 && Agents == 200 && Rate == 50;
}

using System.Text.Json.Nodes;

using CommandLine;

using Mesh.Meshctl.Install;
using Mesh.Meshctl.Install.Charts;
using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

/// <summary>What all commands that speak to a cluster take.</summary>
internal abstract class ClusterOptions
{
    [Option("kubeconfig", HelpText = "File with the cluster's address and credentials; default: KUBECONFIG, or ~/.kube/config.")]
    public string? Kubeconfig { get; set; }

    [Option("context", HelpText = "Context of the kubeconfig; default: its current one.")]
    public string? Context { get; set; }

    [Option('n', "namespace", Default = "istio-system", HelpText = "Where the mesh's own pods are.")]
    public string Namespace { get; set; } = string.Empty;
}

/// <summary>What all commands that render the chart take.</summary>
internal abstract class ChartOptions : ClusterOptions
{
    [Option('f', "values", HelpText = "Files with values for the chart; later ones win.")]
    public IEnumerable<string> ValueFiles { get; set; } = [];

    [Option("set", HelpText = "Single values: --set istiod.replicas=3 ztunnel.cni.enabled=false")]
    public IEnumerable<string> Set { get; set; } = [];

    [Option("chart", HelpText = "Folder of the chart; default: the one that came with meshctl.")]
    public string? Chart { get; set; }

    [Option("dry-run", HelpText = "Print what would be applied, and change nothing.")]
    public bool DryRun { get; set; }

    /// <exception cref="MeshctlException">The chart, a file or a value is wrong.</exception>
    public Manifest Render()
    {
        try
        {
            var chart = Install.Charts.Chart.Load(Chart ?? Path.Combine(AppContext.BaseDirectory, "chart"));
            return Manifest.Of(chart, [.. ValueFiles.Select(FromFile), .. Set.Select(FromWord)], Namespace);
        }
        catch (ChartException e)
        {
            throw new MeshctlException(ExitCodes.Data, e.Message + ".");
        }
    }

    private static JsonObject FromFile(string file)
    {
        try
        {
            return YamlReader.Map(file, File.ReadAllText(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MeshctlException(ExitCodes.Data, $"the values file {file} cannot be read: {e.Message}");
        }
    }

    internal static JsonObject FromWord(string word)
    {
        var equals = word.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
            throw new MeshctlException(ExitCodes.Usage, $"--set {word}: write a value's path, an equals sign and the value, such as istiod.replicas=3.");
        var value = YamlReader.Plain(word[(equals + 1)..]);
        foreach (var step in word[..equals].Split('.').Reverse())
            value = new JsonObject { [step] = value };
        return value!.AsObject();
    }
}

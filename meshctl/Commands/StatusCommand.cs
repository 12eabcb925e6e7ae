using System.Text.Json;

using CommandLine;

using Mesh.Kubernetes.Requests;
using Mesh.Meshctl.Control;
using Mesh.Meshctl.Install.Status;
using Mesh.Runtime;

using Spectre.Console;

namespace Mesh.Meshctl.Commands;

[Verb("status", HelpText = "Pods, identities, certificates, proxies, documents and their problems.")]
internal sealed class StatusOptions : MeshOptions
{
    [Option("json", HelpText = "For programs.")]
    public bool Json { get; set; }

    [Option("cluster", HelpText = "Of the mesh in the cluster that KUBECONFIG names, instead of the one on this machine.")]
    public bool Cluster { get; set; }

    [Option("kubeconfig", HelpText = "File with the cluster's address and credentials; implies --cluster.")]
    public string? Kubeconfig { get; set; }

    [Option("context", HelpText = "Context of the kubeconfig; implies --cluster.")]
    public string? Context { get; set; }

    [Option('n', "namespace", Default = "istio-system", HelpText = "In a cluster: where the mesh's own pods are.")]
    public string Namespace { get; set; } = "istio-system";

    public bool IsOfCluster => Cluster || Kubeconfig is not null || Context is not null;
}

internal static class StatusCommand
{
    public static Task<int> RunAsync(StatusOptions options, TimeProvider time) => options.IsOfCluster
        ? ClusterConnection.RunAsync(options.Kubeconfig, options.Context, time, (client, cancel) => OfClusterAsync(client, options, cancel))
        : OfMachineAsync(options);

    private static async Task<int> OfClusterAsync(KubeClient client, StatusOptions options, CancellationToken cancel)
    {
        var status = await new ClusterStatusReader(client, options.Namespace).ReadAsync(cancel);
        if (options.Json)
        {
            Console.WriteLine(JsonSerializer.Serialize(status, ClusterStatusJson.Default.ClusterStatus));
            return ExitCodes.Ok;
        }

        Print("parts", ["part", "state"], status.Parts.Select(p => (string[])[p.Name, p.State]));
        Print("namespaces", ["namespace", "pods that asked", "in the mesh"], status.Namespaces.Select(n => (string[])[n.Name, $"{n.Asked}", $"{n.Captured}"]));
        Print("not in the mesh, although they asked", ["pod", "node", "state", "why"], status.Outside.Select(p => (string[])[p.Pod, p.Node, p.State, p.Reason]));
        Print("labels", ["what is probably not meant"], status.Labels.Select(l => (string[])[l]));
        Print("network policies", ["policy", "what it does", "what to do"], status.NetworkPolicies.Select(p => (string[])[p.Policy, p.Found, p.Remedy]));
        Print("told in the last hour", ["on", "what", "times", "last", "text"], status.Events.Select(e => (string[])[e.On, e.Reason, $"{e.Count}", e.Last, e.Text]));
        return ExitCodes.Ok;
    }

    private static async Task<int> OfMachineAsync(StatusOptions options)
    {
        var status = await ControlClient.AskAsync<StatusReply>(options.State, new StatusRequest());
        if (options.Json)
        {
            Console.WriteLine(JsonSerializer.Serialize(status, ControlJson.Default.StatusReply));
            return ExitCodes.Ok;
        }

        Print("pods", ["pod", "node", "address", "identity", "mesh", "state"], status.Pods.Select(p => (string[])[$"{p.Namespace}/{p.Name}", p.Node, p.Address, p.Identity, p.Mesh, p.State]));
        Print("parts", ["part", "where", "state", "process", "restarts", "last end"], status.Components.Select(c => (string[])[c.Name, c.Where, c.State, $"{c.ProcessId}", $"{c.Restarts}", c.LastExit ?? "-"]));
        Print("certificates", ["proxy", "identity", "state", "valid until"], status.Certificates.Select(c => (string[])[c.Proxy, c.Identity, c.State, c.ValidUntil ?? "-"]));
        Print("documents", ["kind", "namespace", "name", "file"], status.Documents.Select(d => (string[])[d.Kind, d.Namespace, d.Name, d.File]));
        Print("problems", ["where", "severity", "reason", "what to do"], status.Problems.Select(p => (string[])[$"{p.File}:{p.Line}", p.Severity, p.Reason, p.Fix]));
        Print("control plane", ["what is wrong"], status.Faults.Select(f => (string[])[f]));
        return ExitCodes.Ok;
    }

    private static void Print(string title, string[] columns, IEnumerable<string[]> rows)
    {
        // Into a file or another program: as wide as needed and without colours.
        var console = Console.IsOutputRedirected
            ? AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = new AnsiConsoleOutput(Console.Out) })
            : AnsiConsole.Console;
        if (Console.IsOutputRedirected)
            console.Profile.Width = 220;
        var table = new Table { Border = TableBorder.Simple, Title = new TableTitle(title) };
        table.AddColumns(columns);
        var any = false;
        foreach (var row in rows)
        {
            any = true;
            table.AddRow(row.Select(Markup.Escape).ToArray());
        }

        if (any)
            console.Write(table);
    }
}

using System.Text.Json;

using CommandLine;

using Mesh.Meshctl.Control;
using Mesh.Runtime;

using Spectre.Console;

namespace Mesh.Meshctl.Commands;

[Verb("status", HelpText = "Pods, identities, certificates, proxies, documents and their problems.")]
internal sealed class StatusOptions : MeshOptions
{
    [Option("json", HelpText = "For programs.")]
    public bool Json { get; set; }
}

internal static class StatusCommand
{
    public static async Task<int> RunAsync(StatusOptions options)
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

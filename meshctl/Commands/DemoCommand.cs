using System.Globalization;

using CommandLine;

using Mesh.Meshctl.Demo;
using Mesh.Meshctl.Demo.Steps;
using Mesh.Meshctl.Local;
using Mesh.Runtime;

namespace Mesh.Meshctl.Commands;

[Verb("demo", HelpText = "Show what the mesh does, in eleven steps with evidence; needs nginx and curl.")]
internal sealed class DemoOptions
{
    [Option("keep", HelpText = "Leave the mesh up afterwards and say what to try next.")]
    public bool Keep { get; set; }

    [Option("documents", HelpText = "Folder with the demo's documents.")]
    public string? Documents { get; set; }
}

internal static class DemoCommand
{
    // Short enough to see a renewal (at half of it) within the demo.
    private const string CertificateTtl = "40s";

    private static readonly IDemoStep[] Steps =
    [
        new RequestArrives(), new WireIsEncrypted(), new StrangerIsRefused(), new PlaintextIsRefused(), new CanarySplits(), new BrokenInstanceIsEjected(),
        new IdentitySurvivesWaypoint(), new CertificatesRotate(), new ChangesTakeEffect(), new LatencyAdded(), new GoldenSignals(), new ComesBack(),
    ];

    public static async Task<int> RunAsync(DemoOptions options, TimeProvider time)
    {
        using var interrupted = new CancellationTokenSource();
        using var signals = Signals.Listen(_ => interrupted.Cancel());
        DemoSetup.CheckTools();
        var documents = options.Documents ?? Path.Combine(AppContext.BaseDirectory, "demo");
        var started = time.GetTimestamp();

        // A name of its own: two demos at once do not meet.
        var state = StateDirectory.Of(string.Create(CultureInfo.InvariantCulture, $"demo-{Environment.ProcessId}"));
        Console.WriteLine($"starting the mesh '{state.Name}': two nodes, control plane, a ztunnel on each node");
        await using var mesh = await DemoMesh.UpAsync(state, UpCommand.Plan(state, new UpOptions { CertificateTtl = CertificateTtl }), time, interrupted.Token);
        Console.WriteLine("starting pods: order-service, stranger, outsider; payment v1 (two) and v2, catalog, legacy (nginx); the waypoint of payment");
        var stage = await DemoSetup.BuildAsync(mesh, documents, interrupted.Token);
        for (var node = 1; node <= 2; node++)
            stage.Taps.Add(await WireTap.StartAsync(mesh, node, interrupted.Token));

        List<(IDemoStep Step, StepResult Result, TimeSpan Took)> results = [];
        foreach (var step in Steps)
        {
            var begun = time.GetTimestamp();
            var result = await TryAsync(step, stage, interrupted.Token);
            results.Add((step, result, time.GetElapsedTime(begun)));
            Print(step, result);
        }

        PrintTable(results, time.GetElapsedTime(started));
        if (options.Keep)
        {
            await mesh.KeepAsync();
            PrintHints(mesh.Name);
        }

        return results.TrueForAll(r => r.Result.Passed) ? ExitCodes.Ok : ExitCodes.Failure;
    }

    private static async Task<StepResult> TryAsync(IDemoStep step, DemoStage stage, CancellationToken cancel)
    {
        try
        {
            return await step.RunAsync(stage, cancel);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return StepResult.Of(false, "the step itself failed", e is MeshctlException ? e.Message : e.ToString());
        }
    }

    private static void Print(IDemoStep step, StepResult result)
    {
        Console.WriteLine();
        Console.WriteLine($"{(result.Passed ? "PASS" : "FAIL")}  {step.Number}. {step.Title}: {result.Summary}");
        foreach (var line in result.Evidence)
            Console.WriteLine($"      {line.Replace('\t', ' ')}");
    }

    private static void PrintTable(List<(IDemoStep Step, StepResult Result, TimeSpan Took)> results, TimeSpan total)
    {
        Console.WriteLine();
        foreach (var (step, result, took) in results)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{step.Number,3}  {(result.Passed ? "PASS" : "FAIL")}  {took.TotalSeconds,5:0.0} s  {step.Title}"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{results.Count(r => r.Result.Passed)} of {results.Count} hold; {total.TotalSeconds:0} s"));
    }

    private static void PrintHints(string name)
    {
        Console.WriteLine();
        Console.WriteLine($"the mesh stays up. Try next:");
        foreach (var hint in (string[])
        [
            $"meshctl status -m {name}",
            $"meshctl exec order-service -m {name} -- curl -v http://payment/",
            $"meshctl exec stranger -m {name} -- curl -v http://payment/",
            $"meshctl logs ztunnel-node-2 -f -m {name}",
            $"meshctl down -m {name}",
        ])
            Console.WriteLine("  " + hint);
    }
}

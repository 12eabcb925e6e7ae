using System.Text.Json;

using Mesh.EndToEnd.Tests.Harness;
using Mesh.Testing;

namespace Mesh.EndToEnd.Tests.Independent;

/// <summary>What one scenario of the probe found.</summary>
internal sealed record ProbeVerdict(string Name, string Demands, bool Passed, IReadOnlyList<string> Failures)
{
    public override string ToString() => $"{Name}: {Demands}\n    {string.Join("\n    ", Failures)}";
}

/// <summary>
/// The independent probe of a node proxy: client, peer, control plane, CA and node agent that share no code with this project. It stands beside
/// the checkout (<c>../shared/probe</c>), or where <c>MESH_PROBE</c> says.
/// </summary>
internal static class Probe
{
    /// <summary>Below the five minutes after which the test runner takes a test for hung; the longest group takes one on two quiet cores.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(280);

    private const string SecondsForAnotherRunOnThisMachine = "180";

    public static string Folder { get; } = Environment.GetEnvironmentVariable("MESH_PROBE") is { Length: > 0 } given
        ? given
        : Path.GetFullPath(Path.Combine(Repository.Root, "..", "shared", "probe"));

    /// <summary>Why it cannot run here; null when it can.</summary>
    public static string? Missing => Checked.Value;

    private static readonly Lazy<string?> Checked = new(() =>
    {
        if (!File.Exists(Path.Combine(Folder, "run.py")))
            return $"no probe at {Folder}";
        if (Prerequisites.MissingRoot() is { } notRoot)
            return notRoot;
        if (Prerequisites.MissingTools("python3") is { } noPython)
            return noPython;
        // It knows best what it needs: modules, commands, kernel parts; 77 means that something is not there.
        var listed = Command.RunAsync(CommandLine("--list")).GetAwaiter().GetResult();
        return listed.ExitCode == 77 ? listed.Errors.Trim() : null;
    });

    /// <summary>Name and group of each scenario.</summary>
    public static async Task<IReadOnlyList<(string Name, string Group)>> ListAsync() =>
    [
        .. (await Command.RunAsync(CommandLine("--list"))).Expect(0).Output.Split('\n')
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(words => words.Length > 2)
            .Select(words => (words[0], words[1])),
    ];

    /// <summary>Runs scenarios against our ztunnel, as it was built.</summary>
    /// <param name="choice"><c>--group</c> or <c>--only</c>, and the names.</param>
    public static async Task<IReadOnlyList<ProbeVerdict>> RunAsync(params string[] choice)
    {
        var answer = Path.Combine(Path.GetTempPath(), $"probe-{Guid.NewGuid():N}.json");
        try
        {
            using var running = Command.Start(CommandLine(["--cmd", Repository.Program("ztunnel"), "--json", answer, "--wait", SecondsForAnotherRunOnThisMachine, .. choice]));
            var result = await running.EndAsync(Patience);
            Assert.True(result.ExitCode is 0 or 1, $"the probe ended with {result.ExitCode}\n{result.Output}\n{result.Errors}");
            using var json = JsonDocument.Parse(await File.ReadAllTextAsync(answer));
            var verdicts = json.RootElement.GetProperty("results").EnumerateArray().Select(Read).ToList();
            // Broken off in the middle would otherwise look like a pass.
            Assert.Equal(json.RootElement.GetProperty("planned").GetInt32(), verdicts.Count);
            return verdicts;
        }
        finally
        {
            File.Delete(answer);
        }
    }

    private static ProbeVerdict Read(JsonElement result) => new(
        result.GetProperty("name").GetString()!,
        result.GetProperty("demands").GetString()!,
        result.GetProperty("verdict").GetString() == "PASS",
        [.. result.GetProperty("fails").EnumerateArray().Select(f => f.GetString()!)]);

    // Its modules are the distribution's, so its Python is, too: another one on PATH would not find them.
    private static List<string> CommandLine(params string[] arguments) =>
        [File.Exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3", "-B", Path.Combine(Folder, "run.py"), .. arguments];
}

/// <summary>A test by the probe. Skipped, with the reason, where it is not there or lacks something.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ProbeTheoryAttribute : TheoryAttribute
{
    public ProbeTheoryAttribute() => Skip = Probe.Missing;
}

/// <inheritdoc cref="ProbeTheoryAttribute"/>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ProbeFactAttribute : FactAttribute
{
    public ProbeFactAttribute() => Skip = Probe.Missing;
}

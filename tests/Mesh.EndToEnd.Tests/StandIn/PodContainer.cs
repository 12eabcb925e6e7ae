using System.Text.Json.Nodes;

using Mesh.EndToEnd.Tests.Harness;

namespace Mesh.EndToEnd.Tests.StandIn;

/// <summary>A container that an OCI runtime runs on a node.</summary>
internal sealed class PodContainer
{
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private readonly ClusterNode _node;
    private readonly string _id;
    private readonly Command _command;

    private PodContainer(ClusterNode node, string id, string lastWords, Command command)
    {
        (_node, _id, LastWords, _command) = (node, id, lastWords, command);
        Ended = command.EndAsync(Longest);
    }

    public Task<CommandResult> Ended { get; }

    public string Log => _command.OutputSoFar;

    /// <summary>Where the program may leave its reason (terminationMessagePath).</summary>
    private string LastWords { get; }

    public static async Task<PodContainer> StartAsync(ClusterNode node, string id, JsonObject configuration, string folder)
    {
        Directory.CreateDirectory(folder);
        var words = Path.Combine(folder, "termination-log");
        await File.WriteAllTextAsync(words, string.Empty);
        File.SetUnixFileMode(words, (UnixFileMode)0x1B6);
        JsonNode mount = new JsonObject { ["destination"] = "/dev/termination-log", ["type"] = "bind", ["source"] = words, ["options"] = new JsonArray("rbind", "rprivate", "rw") };
        configuration["mounts"]!.AsArray().Add(mount);
        await File.WriteAllTextAsync(Path.Combine(folder, "config.json"), configuration.ToJsonString());
        var process = Path.Combine(folder, "pid");
        string[] run = node.Enter("runc", "run", "--pid-file", process, "--bundle", folder, id);
        var container = new PodContainer(node, id, words, Command.Start(["sh", "-c", "exec \"$@\" 2>&1", "sh", .. run]));
        await Wait.UntilAsync(() => File.Exists(process) || container.Ended.IsCompleted, () => $"the start of {id}: {container.Log}");
        return container;
    }

    public async Task<string> WordsAsync() => await File.ReadAllTextAsync(LastWords);

    public Task<CommandResult> ExecuteAsync(params string[] command) => _node.RunAsync(["runc", "exec", _id, .. command]);

    public async Task StopAsync(TimeSpan grace)
    {
        if (!Ended.IsCompleted)
            await _node.RunAsync("runc", "kill", _id, "TERM");
        if (await Task.WhenAny(Ended, Task.Delay(grace)) != Ended)
            await KillAsync();
        await Ended;
        _command.Dispose();
    }

    public Task KillAsync() => _node.RunAsync("runc", "kill", _id, "KILL");
}

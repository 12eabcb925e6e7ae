using System.Globalization;
using System.Text.Json;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Local;

namespace Mesh.EndToEnd.Tests.Harness;

/// <summary>A mesh driven through the built meshctl, as a person would; taken down at the end whatever happened.</summary>
public sealed class TestMesh : IAsyncDisposable
{
    private static int s_count;

    private TestMesh(MeshUser user)
    {
        User = user;
        Name = string.Create(CultureInfo.InvariantCulture, $"t{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}");
        Folder = Directory.CreateTempSubdirectory("mesh-e2e-").FullName;
        File.SetUnixFileMode(Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute);
    }

    public MeshUser User { get; }

    public string Name { get; }

    /// <summary>For documents and recordings; every user may write here.</summary>
    public string Folder { get; }

    /// <summary>Where the mesh keeps what the host can see of it.</summary>
    public string StatePath => Path.Combine(StateDirectory.DefaultRoot(User.IsRoot, User == MeshUser.Self ? Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") : null, User == MeshUser.Self ? Environment.UserName : "nobody"), Name);

    public static TestMesh Down(MeshUser user) => new(user);

    public static async Task<TestMesh> UpAsync(MeshUser user, params string[] options)
    {
        var mesh = new TestMesh(user);
        try
        {
            (await mesh.MeshctlAsync(["up", .. options])).Expect(0);
            return mesh;
        }
        catch
        {
            await mesh.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await MeshctlAsync("down");
        Directory.Delete(Folder, recursive: true);
    }

    public Task<CommandResult> MeshctlAsync(params string[] arguments) => Command.RunAsync(CommandLine(arguments));

    public Command Start(params string[] arguments) => Command.Start(CommandLine(arguments));

    /// <summary>A pod that stays, with a program or without.</summary>
    public async Task RunAsync(string name, string[] options, params string[] program) =>
        (await MeshctlAsync(["run", name, "--detach", .. options, .. program.Length > 0 ? (string[])["--", .. program] : []])).Expect(0);

    public Task<CommandResult> ExecAsync(string pod, params string[] program) => MeshctlAsync(["exec", pod, "--", .. program]);

    public Command StartExec(string pod, params string[] program) => Start(["exec", pod, "--", .. program]);

    public async Task ApplyAsync(string name, string text)
    {
        var file = Path.Combine(Folder, name);
        await File.WriteAllTextAsync(file, text);
        (await MeshctlAsync("apply", "-f", file)).Expect(0);
    }

    internal async Task<StatusReply> StatusAsync()
    {
        var json = (await MeshctlAsync("status", "--json")).Expect(0).Output;
        return JsonSerializer.Deserialize(json, ControlJson.Default.StatusReply)!;
    }

    public async Task<string> AddressOfAsync(string pod) => (await StatusAsync()).Pods.Single(p => p.Name == pod).Address;

    /// <summary>The daemon's process, as this machine numbers it.</summary>
    public string Daemon => Processes().Single(p => Read(p, "cmdline") is { } line && line.StartsWith(Repository.Program("meshctl") + "\0daemon\0", StringComparison.Ordinal) && line.Contains($"\0{Name}\0", StringComparison.Ordinal));

    /// <summary>A component's process, as this machine numbers it; the mesh has numbers of its own.</summary>
    public async Task<string> ProcessOfAsync(string component)
    {
        var own = (await StatusAsync()).Components.Single(c => c.Name == component).ProcessId;
        var numbers = new FileInfo($"/proc/{Daemon}/ns/pid_for_children").LinkTarget;
        return Processes().Single(p => new FileInfo($"/proc/{p}/ns/pid").LinkTarget == numbers
            && Read(p, "status")?.Split('\n').FirstOrDefault(l => l.StartsWith("NSpid:", StringComparison.Ordinal))?.Split('\t')[^1] == own.ToString(CultureInfo.InvariantCulture));
    }

    public async Task<string> LogAsync(string target) => (await MeshctlAsync("logs", target)).Output;

    private static IEnumerable<string> Processes() => Directory.EnumerateDirectories("/proc").Select(d => Path.GetFileName(d)).Where(d => int.TryParse(d, out _));

    private static string? Read(string process, string file)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/{file}");
        }
        catch (IOException)
        {
            return null; // it ended while we looked
        }
    }

    private List<string> CommandLine(string[] arguments)
    {
        // The name goes before "--": what follows belongs to the program.
        var dashes = Array.IndexOf(arguments, "--");
        string[] own = dashes < 0 ? arguments : arguments[..dashes];
        return [.. User.Prefix, Repository.Program("meshctl"), .. own, "--name", Name, .. dashes < 0 ? [] : arguments[dashes..]];
    }
}

using Mesh.Meshctl.Commands;
using Mesh.Meshctl.Control;
using Mesh.Meshctl.Daemon;
using Mesh.Meshctl.Local;
using Mesh.Meshctl.Topology;
using Mesh.Runtime;

namespace Mesh.Meshctl.Demo;

/// <summary>The mesh that the demo plays on: only what a person could do with the verbs of meshctl, and look at with curl.</summary>
internal sealed class DemoMesh : IAsyncDisposable
{
    private readonly StateDirectory _state;
    private readonly TimeProvider _time;
    private ControlLease? _lease;

    private DemoMesh(StateDirectory state, TimeProvider time)
    {
        _state = state;
        _time = time;
        Folder = Path.Combine(state.Path, "demo");
    }

    public string Name => _state.Name;

    public TimeProvider Time => _time;

    /// <summary>The servers' files and the recordings; goes away with the mesh.</summary>
    public string Folder { get; }

    public static async Task<DemoMesh> UpAsync(StateDirectory state, DaemonOptions options, TimeProvider time, CancellationToken cancel)
    {
        var mesh = new DemoMesh(state, time);
        await MeshLauncher.UpAsync(state, options, time, cancel);
        try
        {
            // From here on the mesh lives as long as this process, whatever ends it.
            (_, mesh._lease) = await ControlClient.OpenAsync<DoneReply>(state, new LeaseRequest(), cancel);
            Directory.CreateDirectory(mesh.Folder);
            return mesh;
        }
        catch
        {
            await MeshLauncher.DownAsync(state, time);
            throw;
        }
    }

    /// <summary>The mesh stays when this process ends.</summary>
    public async Task KeepAsync()
    {
        await _lease!.WriteLineAsync("release", CancellationToken.None);
        await _lease.DisposeAsync();
        _lease = null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_lease is null)
            return;
        await MeshLauncher.DownAsync(_state, _time);
        await _lease.DisposeAsync();
    }

    public Task<PodReply> RunAsync(RunRequest request, CancellationToken cancel) => ControlClient.AskAsync<PodReply>(_state, request, cancel);

    public Task DeleteAsync(string pod, CancellationToken cancel) => ControlClient.AskAsync<DoneReply>(_state, new DeletePodRequest(pod), cancel);

    public Task<StatusReply> StatusAsync(CancellationToken cancel) => ControlClient.AskAsync<StatusReply>(_state, new StatusRequest(), cancel);

    public async Task<ApplyReply> ApplyAsync(IEnumerable<string> files, CancellationToken cancel)
    {
        var reply = await ControlClient.AskAsync<ApplyReply>(_state, new ApplyRequest(SourceFiles.Read(files)), cancel);
        return reply.Accepted ? reply : throw new MeshctlException(ExitCodes.Data, string.Join("; ", reply.Problems.Select(ApplyCommand.Describe)));
    }

    public Task<ApplyReply> ApplyAsync(string name, string text, CancellationToken cancel) =>
        ControlClient.AskAsync<ApplyReply>(_state, new ApplyRequest([new SourceFile(name, text)]), cancel);

    public Task DeleteDocumentAsync(string name, CancellationToken cancel) =>
        ControlClient.AskAsync<ApplyReply>(_state, new DeleteDocumentsRequest([], [name]), cancel);

    public async Task<ToolResult> ExecAsync(string pod, IReadOnlyList<string> program, CancellationToken cancel)
    {
        var found = await ControlClient.AskAsync<PodReply>(_state, new FindPodRequest(pod), cancel);
        return await Tool.RunAsync(PodEntry.Command(_state, found, program), cancel: cancel);
    }

    /// <summary>A tool in a node's own namespace.</summary>
    public Task<ToolResult> OnNodeAsync(int node, IReadOnlyList<string> command, CancellationToken cancel) =>
        Tool.RunAsync([.. Namespaces.EnterMesh(Owner, Environment.IsPrivilegedProcess), .. Namespaces.EnterNetwork(NetworkBuilder.PathOf(AddressPlan.NodeName(node))), .. command], cancel: cancel);

    public string LogOf(string component)
    {
        var file = Path.Combine(_state.Logs, $"{component}.log");
        if (!File.Exists(file))
            return string.Empty;
        using var reader = new StreamReader(new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        return reader.ReadToEnd();
    }

    /// <summary>Waits until a component's log holds a line as wanted; null when it does not come in time.</summary>
    public async Task<string?> LogLineAsync(string component, Func<string, bool> wanted, TimeSpan deadline, CancellationToken cancel)
    {
        var started = _time.GetTimestamp();
        while (true)
        {
            if (LogOf(component).Split('\n').LastOrDefault(l => l.Length > 0 && wanted(l)) is { } line)
                return line;
            if (_time.GetElapsedTime(started) > deadline)
                return null;
            await Task.Delay(TimeSpan.FromMilliseconds(50), _time, cancel);
        }
    }

    public async Task<bool> UntilAsync(Func<Task<bool>> condition, TimeSpan deadline, CancellationToken cancel)
    {
        var started = _time.GetTimestamp();
        while (!await condition())
        {
            if (_time.GetElapsedTime(started) > deadline)
                return false;
            await Task.Delay(TimeSpan.FromMilliseconds(100), _time, cancel);
        }

        return true;
    }

    private int Owner => _state.ReadProcessId() ?? throw new MeshctlException(ExitCodes.Unavailable, $"the mesh '{_state.Name}' is going down.");
}

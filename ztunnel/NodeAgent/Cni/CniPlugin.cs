using System.Diagnostics;
using Mesh.Runtime.Logging;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.NodeAgent.Cni;

/// <summary>
/// The CNI plugin on the node: there once this agent answers it and as long as the mesh is, also after the pod network has written its configuration
/// anew. It must not outlive the mesh: a node whose plugin has nobody to ask starts no pod any more.
/// </summary>
/// <param name="settings">Where the node keeps plugins, and whether ours is wanted there.</param>
/// <param name="arguments">What the plugin needs to know of its agent, as options of its <c>install</c>.</param>
/// <param name="report">Null: as it should be; else why not.</param>
internal sealed class CniPlugin(CniSettings settings, IReadOnlyList<string> arguments, Action<string?> report, LogSink sink, TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(5);

    /// <summary>Whoever rewrites the configuration does it in steps.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(200);

    /// <summary>Where the folder's changes are not told (network file systems), they are seen at last.</summary>
    private static readonly TimeSpan Look = TimeSpan.FromMinutes(1);

    private readonly Log _log = sink.For("cni");
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _changed = new(0, 1);
    private Task _keeping = Task.CompletedTask;

    public void Start() => _keeping = KeepAsync();

    /// <summary>The node's plugins as they were without us.</summary>
    public async Task RemoveAsync()
    {
        await _stop.CancelAsync();
        await _keeping;
        if (await RunAsync("uninstall", []) is { } failure)
            _log.Error($"the CNI plugin stays on this node, and its pods will not start without an agent: {failure}; run {settings.Program} uninstall there, or take \"mesh-cni\" out of the files in {settings.ConfigurationFolder}");
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _keeping;
        _stop.Dispose();
        _changed.Dispose();
    }

    private async Task KeepAsync()
    {
        using var watcher = settings.IsChained ? Watch() : null;
        try
        {
            while (true)
            {
                var failure = await (settings.IsChained ? RunAsync("install", arguments) : RunAsync("uninstall", []));
                report(failure is null ? null : Explain(failure));
                // That it is not there is looked at in a quiet way: an agent of before, in the end of its life, chains it again at once.
                await ChangeAsync(settings.IsChained && failure is null ? Look : Retry);
                await Task.Delay(Settling, time, _stop.Token);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // It stays as it is for our successor.
        }
    }

    private async Task ChangeAsync(TimeSpan atMost)
    {
        using var limit = new CancellationTokenSource(atMost, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
        try
        {
            await _changed.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
        {
            // Nothing was told, and it is looked at all the same.
        }
    }

    private string Explain(string failure) => settings.IsChained
        ? $"new pods of this node start outside the mesh and are captured afterwards: the CNI plugin is not chained into {settings.ConfigurationFolder}: {failure}"
        : $"the CNI plugin is not wanted any more and cannot be taken out of {settings.ConfigurationFolder}: {failure}";

    /// <returns>Null: the folder cannot be watched, and is looked at.</returns>
    private FileSystemWatcher? Watch()
    {
        try
        {
            var watcher = new FileSystemWatcher(settings.ConfigurationFolder);
            watcher.Changed += (_, _) => Signal();
            watcher.Created += (_, _) => Signal();
            watcher.Deleted += (_, _) => Signal();
            watcher.Renamed += (_, _) => Signal();
            watcher.EnableRaisingEvents = true;
            return watcher;
        }
        catch (Exception none) when (none is ArgumentException or IOException)
        {
            _log.Warn($"{settings.ConfigurationFolder} cannot be watched and is looked at each minute: {none.Message}");
            return null;
        }
    }

    private void Signal()
    {
        try
        {
            _changed.Release();
        }
        catch (Exception needless) when (needless is SemaphoreFullException or ObjectDisposedException)
        {
            // It is looked at already, or not any more.
        }
    }

    /// <returns>Why it failed.</returns>
    private async Task<string?> RunAsync(string command, IReadOnlyList<string> more)
    {
        var start = new ProcessStartInfo(settings.Program, [command, $"--bin-dir={settings.ProgramFolder}", $"--conf-dir={settings.ConfigurationFolder}", .. more]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using var process = Process.Start(start)!;
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(CancellationToken.None), process.StandardError.ReadToEndAsync(CancellationToken.None));
            await process.WaitForExitAsync(CancellationToken.None);
            foreach (var line in (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries))
                _log.Info(line);
            return process.ExitCode == 0 ? null : (await errors).Trim();
        }
        catch (System.ComponentModel.Win32Exception failure)
        {
            return $"{settings.Program} cannot be started: {failure.Message}";
        }
    }
}

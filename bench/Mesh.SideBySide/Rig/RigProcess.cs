using System.Diagnostics;

namespace Mesh.SideBySide.Rig;

/// <summary>A program of the rig that runs until it is stopped, and what it and its children have used.</summary>
internal sealed class RigProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _log;

    private RigProcess(Process process, string log)
    {
        _process = process;
        _log = log;
    }

    public int Id => _process.Id;

    public bool HasEnded => _process.HasExited;

    public static RigProcess Start(IReadOnlyList<string> command, string log, IReadOnlyDictionary<string, string>? environment = null)
    {
        // exec all the way: the process that is started becomes the program, so that its number is the one that is measured.
        var start = new ProcessStartInfo("setsid");
        foreach (var argument in (string[])["sh", "-c", "exec \"$@\" </dev/null >>\"$0\" 2>&1", log, .. command])
            start.ArgumentList.Add(argument);
        foreach (var (key, value) in environment ?? new Dictionary<string, string>(StringComparer.Ordinal))
            start.Environment[key] = value;
        return new RigProcess(Process.Start(start) ?? throw new BenchException($"{command[0]} did not start"), log);
    }

    public void ThrowIfEnded()
    {
        if (!_process.HasExited)
            return;
        var lines = File.Exists(_log) ? File.ReadLines(_log).TakeLast(5) : [];
        throw new BenchException($"a program ended early with {_process.ExitCode}: {string.Join(" | ", lines)}");
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            using (Process.Start("kill", ["-TERM", $"{_process.Id}"]))
            {
            }

            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(8));
            try
            {
                await _process.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill(entireProcessTree: true);
            }
        }

        _process.Dispose();
    }
}

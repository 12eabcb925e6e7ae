using System.Diagnostics;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Local;

namespace Mesh.Meshctl.Daemon;

/// <summary>How to start one of the mesh's own programs.</summary>
internal sealed record ComponentPlan
{
    public required string Name { get; init; }
    public required string Where { get; init; }

    /// <summary>The whole command line, network namespace included.</summary>
    public required IReadOnlyList<string> Command { get; init; }
    public required IReadOnlyDictionary<string, string> Environment { get; init; }
    public required string Log { get; init; }
}

/// <summary>One program of the mesh, kept running: when it ends it is started again, after 100 ms, doubling to 15 s; 30 s of life begin anew.</summary>
internal sealed class Component(ComponentPlan plan, TimeProvider time, Action<string> log) : IAsyncDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Stable = TimeSpan.FromSeconds(30);

    // The child is a session of its own so that a Ctrl-C at the terminal of "meshctl up" cannot reach it before the drain.
    private const string Script = "exec \"$@\" </dev/null >>\"$0\" 2>&1";

    private readonly CancellationTokenSource _stop = new();
    private Process? _process;
    private Task _keeping = Task.CompletedTask;
    private int _restarts;
    private string? _lastExit;

    public string Name => plan.Name;

    public void Start() => _keeping = KeepRunningAsync();

    public ComponentStatus ToStatus()
    {
        var running = _process is { HasExited: false } p ? p.Id : 0;
        return new ComponentStatus(plan.Name, plan.Where, running != 0 ? "running" : "stopped", running, _restarts, _lastExit, plan.Log);
    }

    /// <summary>SIGTERM, then after five seconds (the programs' own drain deadline) SIGKILL.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_process is { HasExited: false } process)
            await ProcessEnd.StopAsync(process, TimeSpan.FromSeconds(6), time);
        await _keeping;
        _stop.Dispose();
    }

    private async Task KeepRunningAsync()
    {
        var pause = FirstPause;
        while (!_stop.IsCancellationRequested)
        {
            var started = time.GetTimestamp();
            try
            {
                using var process = Launch();
                _process = process;
                await process.WaitForExitAsync(CancellationToken.None);
                _lastExit = $"exit code {process.ExitCode}";
                _process = null;
            }
            catch (System.ComponentModel.Win32Exception e)
            {
                _lastExit = e.Message;
            }

            if (_stop.IsCancellationRequested)
                return;
            if (time.GetElapsedTime(started) >= Stable)
                pause = FirstPause;
            log($"{plan.Name} ended ({_lastExit}); it starts again in {pause.TotalMilliseconds:0} ms; its log is {plan.Log}");
            _restarts++;
            try
            {
                await Task.Delay(pause, time, _stop.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    private Process Launch()
    {
        var start = new ProcessStartInfo(Tool.Find("setsid") ?? "setsid");
        foreach (var argument in (string[])["sh", "-c", Script, plan.Log, .. plan.Command])
            start.ArgumentList.Add(argument);
        foreach (var (name, value) in plan.Environment)
            start.Environment[name] = value;
        return Process.Start(start) ?? throw new InvalidOperationException($"{plan.Name} did not start");
    }
}

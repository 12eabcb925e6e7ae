using System.Diagnostics;
using System.Text;

namespace Mesh.EndToEnd.Tests.Harness;

/// <summary>What a program left.</summary>
public sealed record CommandResult(int ExitCode, string Output, string Errors)
{
    public CommandResult Expect(int exitCode)
    {
        Assert.True(ExitCode == exitCode, $"exit code {ExitCode}, expected {exitCode}\n{Output}\n{Errors}");
        return this;
    }
}

/// <summary>A running program of a test; its output is collected while it runs.</summary>
public sealed class Command : IDisposable
{
    /// <summary>Beyond this a test hangs; nothing here takes a tenth of it on a quiet machine.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly Process _process;
    private readonly Task<string> _errors;
    private readonly Task _reading;
    private readonly StringBuilder _output = new();
    private readonly Lock _gate = new();

    private Command(Process process)
    {
        _process = process;
        _errors = process.StandardError.ReadToEndAsync();
        _reading = ReadAsync();
    }

    public int ProcessId => _process.Id;

    public string OutputSoFar
    {
        get
        {
            lock (_gate)
                return _output.ToString();
        }
    }

    public static Command Start(IReadOnlyList<string> command)
    {
        var start = new ProcessStartInfo(command[0])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in command.Skip(1))
            start.ArgumentList.Add(argument);
        var process = Process.Start(start)!;
        process.StandardInput.Close();
        return new Command(process);
    }

    public static async Task<CommandResult> RunAsync(IReadOnlyList<string> command)
    {
        using var running = Start(command);
        return await running.EndAsync();
    }

    /// <param name="patienceOfItsOwn">For a program that rightly takes longer than everything else here.</param>
    public async Task<CommandResult> EndAsync(TimeSpan? patienceOfItsOwn = null)
    {
        using var patience = new CancellationTokenSource(patienceOfItsOwn ?? Patience);
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException impatience)
        {
            _process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{_process.StartInfo.FileName} {string.Join(' ', _process.StartInfo.ArgumentList)} did not end; so far: {OutputSoFar}", impatience);
        }

        await _reading;
        return new CommandResult(_process.ExitCode, OutputSoFar, await _errors);
    }

    /// <summary>Waits until the output holds a text.</summary>
    public Task SaysAsync(string text) => Wait.UntilAsync(() => OutputSoFar.Contains(text, StringComparison.Ordinal), () => $"'{text}' in: {OutputSoFar}");

    public Task SignalAsync(string signal) => RunAsync(["sh", "-c", $"kill -s {signal} {ProcessId}"]);

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }

    private async Task ReadAsync()
    {
        var buffer = new char[4096];
        int count;
        while ((count = await _process.StandardOutput.ReadAsync(buffer)) > 0)
        {
            lock (_gate)
                _output.Append(buffer, 0, count);
        }
    }
}

/// <summary>Waits for what other processes do; there is no event to await for those.</summary>
internal static class Wait
{
    public static async Task UntilAsync(Func<bool> condition, Func<string> what)
    {
        using var patience = new CancellationTokenSource(Command.Patience);
        while (!condition())
        {
            Assert.False(patience.IsCancellationRequested, $"never came: {what()}");
            await Task.Delay(20, CancellationToken.None);
        }
    }

    public static async Task UntilAsync(Func<Task<bool>> condition, Func<string> what)
    {
        using var patience = new CancellationTokenSource(Command.Patience);
        while (!await condition())
        {
            Assert.False(patience.IsCancellationRequested, $"never came: {what()}");
            await Task.Delay(50, CancellationToken.None);
        }
    }
}

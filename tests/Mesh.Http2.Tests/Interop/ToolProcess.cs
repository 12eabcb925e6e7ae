using System.Diagnostics;
using System.Globalization;
using Mesh.Testing;

namespace Mesh.Http2.Tests.Interop;

/// <summary>A program of the system under `timeout`, so that it ends whatever happens to the test.</summary>
internal sealed class ToolProcess : IDisposable
{
    private const int LifetimeSeconds = 120;

    private readonly Process _process;
    private readonly Task<string> _errors;

    public ToolProcess(string tool, params string[] arguments)
    {
        var info = new ProcessStartInfo(Prerequisites.FindTool("timeout")!) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])["--kill-after=5", LifetimeSeconds.ToString(CultureInfo.InvariantCulture), Prerequisites.FindTool(tool)!, .. arguments])
            info.ArgumentList.Add(argument);
        _process = Process.Start(info)!;
        _errors = _process.StandardError.ReadToEndAsync();
    }

    public string ReadLine() => _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"the program ended without a word: {_errors.Result}");

    /// <summary>Reads on in the background, so that a talkative program is not held up by a full pipe.</summary>
    public void IgnoreOutput() => _ = _process.StandardOutput.ReadToEndAsync();

    /// <summary>The rest of its output, when it has ended with success.</summary>
    public string ReadToEnd()
    {
        var output = _process.StandardOutput.ReadToEnd();
        _process.WaitForExit();
        Assert.True(_process.ExitCode == 0, $"exit code {_process.ExitCode}: {output}\n{_errors.Result}");
        return output;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }
}

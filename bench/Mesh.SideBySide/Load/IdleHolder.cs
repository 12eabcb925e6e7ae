using System.Diagnostics;
using Mesh.SideBySide.Rig;

namespace Mesh.SideBySide.Load;

/// <summary>Open connections that say nothing, in a process of their own.</summary>
internal sealed class IdleHolder : IAsyncDisposable
{
    private readonly Process _process;

    private IdleHolder(Process process) => _process = process;

    public static async Task<IdleHolder> StartAsync(Setup setup, Peer peer, int connections)
    {
        var command = Network.In(setup.Network.Client, Environment.ProcessPath!, "load", "--url", peer.File.Url.ToString(), "--connections", $"{connections}", "--idle");
        var start = new ProcessStartInfo(command[0]) { RedirectStandardInput = true, RedirectStandardOutput = true, UseShellExecute = false };
        foreach (var argument in command.Skip(1))
            start.ArgumentList.Add(argument);
        var process = Process.Start(start) ?? throw new BenchException("the connection holder did not start");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        if (await process.StandardOutput.ReadLineAsync(patience.Token) is null)
            throw new BenchException($"{connections} connections through {peer.Name} could not be opened");
        return new IdleHolder(process);
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}

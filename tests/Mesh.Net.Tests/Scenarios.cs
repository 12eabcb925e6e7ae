using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Mesh.Net.Tests;

/// <summary>Bodies of <see cref="Program"/>'s scenarios, and how a test runs one.</summary>
internal static class Scenarios
{
    internal static async Task<(int ExitCode, string Output)> RunAsync(string name)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal) ? Environment.ProcessPath! : "dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add(typeof(Scenarios).Assembly.Location);
        start.ArgumentList.Add(name);
        using var process = Process.Start(start)!;
        using var patience = new CancellationTokenSource(TestLoop.Patience);
        try
        {
            var errors = process.StandardError.ReadToEndAsync(patience.Token);
            var output = await process.StandardOutput.ReadToEndAsync(patience.Token);
            await process.WaitForExitAsync(patience.Token);
            return (process.ExitCode, output + await errors);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }

    /// <summary>Uses every descriptor up, knocks at a listener, frees some and looks whether it still accepts.</summary>
    internal static int ExhaustDescriptors()
    {
        using var loop = EventLoop.Start("exhausted", new EventLoopOptions { AcceptBackoff = TimeSpan.FromMilliseconds(20) });
        var accepted = new List<LoopSocket>();
        var listener = loop.InvokeAsync(() => LoopListener.Listen(loop, new ListenOptions { EndPoint = new IPEndPoint(IPAddress.Loopback, 0) }, accepted.Add)).GetAwaiter().GetResult();

        // The knocking sockets exist before the shortage: it is the accepting side that has none left.
        var clients = Enumerable.Range(0, 5).Select(_ => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)).ToList();
        ProcessRights.SetDescriptorLimit(200);
        var hoard = new List<FileStream>();
        try
        {
            while (true)
                hoard.Add(new FileStream("/dev/null", FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 0));
        }
        catch (IOException)
        {
            Console.WriteLine($"hoarded {hoard.Count > 50}");
        }

        clients[0].Connect(listener.LocalEndPoint);
        clients[0].ReceiveTimeout = 10_000;
        var refused = false;
        try
        {
            refused = clients[0].Receive(new byte[1]) == 0;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            refused = true;
        }

        Console.WriteLine($"refused {refused}");
        Console.WriteLine($"rested {loop.Metrics.AcceptBackoffs >= 1}");

        // A loop that spins would turn thousands of times between two of its own timers.
        var before = loop.Metrics.Iterations;
        var ticks = new TaskCompletionSource();
        loop.Post(() => loop.Schedule(TimeSpan.FromMilliseconds(200), ticks.SetResult));
        ticks.Task.GetAwaiter().GetResult();
        Console.WriteLine($"calm {loop.Metrics.Iterations - before < 100}");

        hoard.ForEach(f => f.Dispose());
        clients[1].Connect(listener.LocalEndPoint);
        var deadline = new TaskCompletionSource<int>();
        loop.Post(() => Look(loop, accepted, deadline));
        Console.WriteLine($"recovered {deadline.Task.Wait(TimeSpan.FromSeconds(20)) && deadline.Task.Result >= 1}");
        return 0;
    }

    private static void Look(EventLoop loop, List<LoopSocket> accepted, TaskCompletionSource<int> result)
    {
        if (accepted.Count >= 1)
            result.SetResult(accepted.Count);
        else
            loop.Schedule(TimeSpan.FromMilliseconds(20), () => Look(loop, accepted, result));
    }

    internal static int Restrict()
    {
        var id = Environment.ProcessId;
        ProcessRights.RestrictTo(Capability.NetAdmin, Capability.NetRaw);
        Console.WriteLine($"netadmin {ProcessRights.Has(Capability.NetAdmin)}");
        Console.WriteLine($"ptrace {ProcessRights.Has(Capability.SysPtrace)}");
        var widest = Directory.GetDirectories("/proc/self/task")
            .Select(t => File.ReadLines(Path.Combine(t, "status")).First(l => l.StartsWith("CapEff:", StringComparison.Ordinal)))
            .Distinct(StringComparer.Ordinal).Count();
        Console.WriteLine($"threads alike {widest == 1}");
        Console.WriteLine($"same process {id == Environment.ProcessId}");
        ProcessRights.SetDumpable(false);
        ProcessRights.ForbidNewPrivileges();
        return 0;
    }
}

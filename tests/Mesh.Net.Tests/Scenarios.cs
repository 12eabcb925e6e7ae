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
            UseShellExecute = false,
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

        // The knocking sockets exist before the shortage (it is the accepting side that has none left), and all code has run once: loading it takes descriptors too.
        var clients = Enumerable.Range(0, 3).Select(_ => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 20_000 }).ToList();
        Console.WriteLine($"warm {IsServed(clients[2], listener, loop, accepted)}");
        loop.InvokeAsync(() => loop.Schedule(TimeSpan.Zero, () => { })).GetAwaiter().GetResult();

        ProcessRights.SetDescriptorLimit(300);
        var hoard = new List<int>();
        for (var fd = Open(); fd >= 0; fd = Open())
            hoard.Add(fd);
        var refused = IsRefused(clients[0], listener);

        // A loop that spins would turn thousands of times while a timer of its own runs.
        var before = loop.Metrics.Iterations;
        var ticks = new TaskCompletionSource();
        loop.Post(() => loop.Schedule(TimeSpan.FromMilliseconds(200), ticks.SetResult));
        ticks.Task.GetAwaiter().GetResult();
        var turns = loop.Metrics.Iterations - before;

        var rested = loop.Metrics.AcceptBackoffs;
        hoard.ForEach(fd => Native.Libc.close(fd));
        Console.WriteLine($"hoarded {hoard.Count > 50}");
        Console.WriteLine($"refused {refused}");
        Console.WriteLine($"rested {rested >= 1}");
        Console.WriteLine($"calm {turns < 100}");
        Console.WriteLine($"recovered {IsServed(clients[1], listener, loop, accepted)}");
        return 0;

        static int Open() => Native.Libc.open("/dev/null", Native.Libc.O_RDONLY | Native.Libc.O_CLOEXEC);
    }

    private static bool IsRefused(Socket client, LoopListener listener)
    {
        client.Connect(listener.LocalEndPoint);
        try
        {
            return client.Receive(new byte[1]) == 0;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.ConnectionReset;
        }
    }

    private static bool IsServed(Socket client, LoopListener listener, EventLoop loop, List<LoopSocket> accepted)
    {
        accepted.Clear();
        client.Connect(listener.LocalEndPoint);
        var result = new TaskCompletionSource<int>();
        loop.Post(() => Look(loop, accepted, result));
        return result.Task.Wait(TimeSpan.FromSeconds(20)) && result.Task.Result == 1;
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

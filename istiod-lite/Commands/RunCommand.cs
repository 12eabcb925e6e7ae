using System.Net.Sockets;
using Mesh.IstiodLite.Certificates;
using Mesh.IstiodLite.Translation;
using Mesh.Kubernetes.Connection;
using Mesh.Runtime;
using Mesh.Runtime.Admin;
using Mesh.Runtime.Logging;

namespace Mesh.IstiodLite.Commands;

/// <summary>Runs the control plane until a signal. Everything that is wrong at the start is one sentence on standard error and an exit code.</summary>
internal static class RunCommand
{
    private static readonly TimeSpan _drainDeadline = TimeSpan.FromSeconds(5);

    public static async Task<int> ExecuteAsync(RunOptions arguments)
    {
        var errors = new List<string>();
        var options = ControlPlaneOptions.From(arguments, errors);
        var settings = MeshSettings.FromEnvironment(Environment.GetEnvironmentVariables(), errors) with { Standalone = options.Cluster is null, ServicePool = options.ServicePool };
        if (options.MeshConfigFile is { } file && File.Exists(file))
            settings = MeshConfigReader.Apply(settings, await File.ReadAllTextAsync(file), (line, reason, fix) => errors.Add($"{file}:{line}: {reason}; {fix}"));
        if (!LogFilter.TryParse(arguments.Log ?? Environment.GetEnvironmentVariable("RUST_LOG") ?? "info", out var filter, out var clause))
            errors.Add($"the log filter \"{clause}\" is not understood; write info, debug or target:level");
        if (errors.Count > 0)
        {
            foreach (var error in errors)
                await Console.Error.WriteLineAsync($"istiod-lite: {error}");
            return ExitCodes.Usage;
        }

        var format = Environment.GetEnvironmentVariable("LOG_FORMAT") is "json" ? LogFormat.Json : LogFormat.Text;
        using var sink = LogSink.ToStandardOutput(format, filter, TimeProvider.System);
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var signals = Signals.Listen(name =>
        {
            sink.For("istiod").Info($"{name}: stopping");
            ended.TrySetResult();
        });
        try
        {
            using var stopping = new CancellationTokenSource();
            _ = ended.Task.ContinueWith(_ => stopping.Cancel(), stopping.Token, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            var cluster = options.Cluster is { } wanted
                ? await ClusterPlane.OpenAsync(wanted, settings, options.Lifetimes, sink, TimeProvider.System, stopping.Token)
                : null;
            await using var host = new ControlPlaneHost(options, cluster, settings, sink, TimeProvider.System);
            await host.StartAsync(stopping.Token);
            await ended.Task;
            await host.StopAsync(_drainDeadline);
            return ExitCodes.Ok;
        }
        catch (OperationCanceledException) when (ended.Task.IsCompleted)
        {
            return ExitCodes.Ok;
        }
        catch (ClusterConfigurationException e)
        {
            return await FailAsync(e.Message, ExitCodes.Configuration);
        }
        catch (StateException e)
        {
            return await FailAsync(e.Message, e.ExitCode);
        }
        catch (AdminBindException e)
        {
            return await FailAsync(e.Message, ExitCodes.OsError);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            return await FailAsync($"cannot serve discovery on {options.Listen}: {e.Message} Free the port or choose another with --listen.", ExitCodes.OsError);
        }
    }

    private static async Task<int> FailAsync(string message, int code)
    {
        await Console.Error.WriteLineAsync($"istiod-lite: {message}");
        return code;
    }
}

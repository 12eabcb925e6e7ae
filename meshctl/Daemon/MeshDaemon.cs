using System.Globalization;

using Mesh.Meshctl.Control;
using Mesh.Meshctl.Documents;
using Mesh.Meshctl.Local;
using Mesh.Meshctl.Pods;
using Mesh.Meshctl.Topology;
using Mesh.Runtime;

namespace Mesh.Meshctl.Daemon;

/// <summary>The life of one mesh, from inside its namespaces. The only file of the daemon that knows all its parts.</summary>
/// <remarks>
/// (1) the lock says that this mesh is up, (2) networks, (3) control plane, (4) node agents, (5) the control socket appears: from now on the mesh can be used,
/// (6) wait for "down", the end of a lease or SIGTERM, (7) pods end, then the components.
/// </remarks>
internal static class MeshDaemon
{
    public static async Task<int> RunAsync(DaemonOptions options, TimeProvider time)
    {
        var state = StateDirectory.Of(options.Name, options.Root);
        var log = new DaemonLog(time);
        using var stop = new CancellationTokenSource();
        using var signals = Signals.Listen(_ => stop.Cancel());

        // (1)
        using var held = StateDirectory.TryLock(state.LockFile);
        if (held is null)
        {
            await Console.Error.WriteLineAsync($"the mesh '{state.Name}' has a daemon already");
            return ExitCodes.CannotCreate;
        }

        try
        {
            await ServeAsync(state, options, time, log.Write, stop);
            return ExitCodes.Ok;
        }
        catch (MeshctlException e)
        {
            log.Write(e.Message);
            await File.WriteAllTextAsync(state.FailureFile, string.Create(CultureInfo.InvariantCulture, $"{e.ExitCode}\n{e.Message}\n"));
            return e.ExitCode;
        }
        catch (OperationCanceledException)
        {
            return ExitCodes.Ok;
        }
    }

    private static async Task ServeAsync(StateDirectory state, DaemonOptions options, TimeProvider time, Action<string> log, CancellationTokenSource stop)
    {
        // (2)
        MeshPaths.Create();
        await NetworkBuilder.BuildAsync(options.Nodes, stop.Token);
        log($"{options.Nodes} nodes");

        var config = new ConfigFolder(MeshPaths.Config);
        using var configGate = new SemaphoreSlim(1, 1);
        await using var components = new ComponentSet(state.Logs, time, log);
        var agents = new Dictionary<int, INodeAgent>();
        ControlPlane? controlPlane = null;
        if (!options.Bare)
        {
            // (3)
            controlPlane = new ControlPlane(Executables.Find(), options.CertificateTtl, components, time);
            await controlPlane.StartAsync(stop.Token);

            // (4)
            for (var node = 1; node <= options.Nodes; node++)
                agents[node] = components.Own(await NodeAgent.StartAsync(node, controlPlane, components, time, log, stop.Token));
        }

        var settled = () => controlPlane?.SettleAsync(stop.Token) ?? Task.CompletedTask;
        var pods = new PodRegistry(MeshPaths.Pods, state.Logs, agents, options.Nodes, config, configGate, settled, time, log);
        await using var waypoints = new WaypointRunner(pods, controlPlane, components, time);
        var handler = new DaemonHandler(state, options, pods, config, configGate, controlPlane, waypoints, components, stop);

        // (5)
        await using var control = new ControlServer(handler.HandleAsync, log);
        control.Start(state.ControlSocket);
        log("up");

        // (6)
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, time, stop.Token);
        }
        catch (OperationCanceledException)
        {
            log("going down");
        }

        // (7) Pods first: their programs may still want to say goodbye over the network.
        await Task.WhenAll(pods.All.ToList().Select(pods.EndProgramAsync));
    }
}

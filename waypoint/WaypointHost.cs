using System.Net;
using System.Runtime.CompilerServices;
using Mesh.Hbone;
using Mesh.Identity.Fetching;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Net;
using Mesh.Runtime;
using Mesh.Runtime.Admin;
using Mesh.Runtime.Decisions;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;
using Mesh.Waypoint.Admin;
using Mesh.Waypoint.Balancing;
using Mesh.Waypoint.Configuration;
using Mesh.Waypoint.Filters;
using Mesh.Waypoint.Forwarding;
using Mesh.Waypoint.Telemetry;
using Mesh.Waypoint.Transport;
using Mesh.Xds.Client;
using Mesh.Xds.Grpc;

namespace Mesh.Waypoint;

/// <summary>
/// Composition root and the life of the process:
/// 1. everything is made, nothing runs;  2. admin ports, the control plane, the own certificate;  3. the HBONE port opens when the first complete
/// configuration and the certificate are there - only then the waypoint is ready;  4. after a signal clients are sent elsewhere, while new ones are
/// still served;  5. nothing new is taken and open streams may finish; what is left then is cut.
/// </summary>
internal static class WaypointHost
{
    private static readonly TimeSpan GoAwayRoundTrip = TimeSpan.FromMilliseconds(500);

    public static async Task<int> RunAsync(WaypointSettings settings, EnvironmentSettings environment)
    {
        // 1. Plumbing.
        var time = TimeProvider.System;
        if (!LogFilter.TryParse(settings.LogFilter, out var filter, out var wrong))
        {
            await Console.Error.WriteLineAsync($"waypoint: RUST_LOG: \"{wrong}\" is not a log level or target=level");
            return ExitCodes.Usage;
        }

        if (settings.FiltersFolder.Length > 0 && !RuntimeFeature.IsDynamicCodeSupported)
        {
            await Console.Error.WriteLineAsync("waypoint: FILTERS_DIR: this build is native code, which cannot load assemblies; use the build that runs under the .NET runtime (docs/filters.md)");
            return ExitCodes.Usage;
        }

        if (!SpiffeId.TryParse(settings.Spiffe, out var own) || !IPAddress.TryParse(settings.InstanceIp, out var instance))
        {
            await Console.Error.WriteLineAsync($"waypoint: {settings.Spiffe} is not an identity or INSTANCE_IP \"{settings.InstanceIp}\" is not an address");
            return ExitCodes.Usage;
        }

        using var sink = LogSink.ToStandardOutput(settings.LogJson ? LogFormat.Json : LogFormat.Text, filter, time);
        var log = sink.For("waypoint");
        foreach (var (name, value) in log.IsEnabled(LogSeverity.Debug) ? environment.Effective : new Dictionary<string, string>())
            log.Event(LogSeverity.Debug, "setting").Text("name", name).Text("value", value).Write();
        var registry = new MetricRegistry();
        ProcessMetrics.Register(registry);
        var readiness = new Readiness(time, log);
        var configured = readiness.Register("configuration");
        var certified = readiness.Register("certificate");
        var listening = readiness.Register("hbone listener");
        using var drain = new Drain(time);

        // 2. Control plane and identity.
        using var xdsChannel = new GrpcChannel(ChannelOptions(settings, settings.XdsAddress));
        using var caChannel = new GrpcChannel(ChannelOptions(settings, settings.CaAddress));
        var ca = new CaGrpcClient(caChannel, new CaClientOptions { Impersonate = false });
        using var certificates = new CertificateCache(new CaCertificateSource(ca, settings.CertificateLife));
        var configuration = new WaypointConfiguration(new ClusterRegistry(time, Random.Shared) { LongestPushback = settings.LongestPushback });
        var xds = new DeltaXdsClient(
            new GrpcXdsTransport(xdsChannel), Node(settings), [.. XdsHandlers.Create(configuration).Select(h => new XdsSubscription(h))], time, new XdsLog(sink.For("xds")));

        // 3. Data path.
        var identity = new MeshIdentity(own, certificates, new MeshTls(), time);
        var loops = Enumerable.Range(0, settings.WorkerThreads > 0 ? settings.WorkerThreads : Environment.ProcessorCount)
            .Select(i => EventLoop.Start($"loop-{i}", new EventLoopOptions { UnhandledException = (e, where) => log.Event(LogSeverity.Error, "story failed").Text("where", where).Text("error", e.ToString()).Write() }))
            .ToList();
        var options = settings.Limits.Hbone;
        var facts = new TunnelFacts
        {
            InstanceAddress = instance,
            Baggage = new Baggage { ClusterId = settings.ClusterId, Namespace = settings.PodNamespace, WorkloadType = "pod", WorkloadName = settings.PodName, ServiceName = settings.GatewayName },
        };
        var dialer = new HboneUpstreamDialer(loops, identity, facts, options, new PlainDialer(loops));
        var decisions = settings.DecisionRecords > 0 ? new RequestDecisions(settings.DecisionRecords, settings.DecisionSampling, () => configuration.Routes.Version, time, Random.Shared) : null;
        var reporter = new Reporter(new AccessLog(sink), new WaypointMetrics(registry, configuration.Clusters), decisions);
        // A key set is a few kilobytes; an issuer cannot fill the memory.
        using var keys = new HttpClient { MaxResponseContentBufferSize = 1024 * 1024 };
        using var dataPath = new DataPath(new DataPathParts
        {
            Configuration = configuration,
            Dialer = dialer,
            Requests = reporter,
            Connections = reporter,
            FetchKeys = (address, cancellation) => keys.GetStringAsync(address, cancellation),
            OnKeysFailure = (source, failure) => log.Event(LogSeverity.Warn, "keys of an issuer cannot be fetched; those fetched last serve").Text("source", source).Text("error", failure).Write(),
            Loggers = new LogSinkLoggerFactory(sink),
            Time = time,
            Filters = Filters(settings, registry, time, sink.For("filters")),
            ServiceName = $"{settings.GatewayName}.{settings.PodNamespace}",
            OwnAddress = instance,
            PathNormalization = settings.PathNormalization,
            RefuseAmbiguousPaths = settings.RefuseAmbiguousPaths,
            Limits = settings.Limits,
        });
        var entrances = loops.Select(l => new HboneEntrance(l, identity, dataPath.Inbound, () => configuration.Routes, options, sink.For("inbound"), drain.Forced)).ToList();

        // 4. Run.
        using var collection = new IdleCollection(time);
        await using var admin = new AdminServer(sink);
        admin.Listen("admin", AdminServer.Loopback(settings.AdminPort), r =>
        {
            r.MapWaypoint(configuration, certificates, xds).MapLogging(sink, filter);
            if (decisions is not null)
                r.MapDecisions(decisions.Ring);
        });
        admin.Listen("stats", [settings.Metrics], r => r.MapMetrics(registry));
        admin.Listen("readiness", [settings.Ready], r => r.MapReadiness(readiness));
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var signals = Signals.Listen(_ => stopped.TrySetResult());
        using var ended = new CancellationTokenSource();
        try
        {
            await admin.StartAsync();
            await dataPath.StartAsync();
        }
        catch (AdminBindException e)
        {
            log.Error(e.Message);
            return ExitCodes.OsError;
        }

        log.Event(LogSeverity.Info, "waypoint starts").Text("identity", settings.Spiffe).Text("gateway", settings.GatewayName).Text("control_plane", settings.XdsAddress).Write();
        var following = xds.RunAsync(ended.Token);
        certificates.Prefetch(own);
        try
        {
            var ready = WaitForBothAsync();
            await Task.WhenAny(ready, stopped.Task);
            if (ready.IsCompleted)
            {
                await ready;
                await OpenAsync();
                listening.Complete();
                await stopped.Task;
            }
        }
        catch (SocketFailureException e)
        {
            log.Error(e.Message);
            return ExitCodes.OsError;
        }
        finally
        {
            // 5. Clients are told to go elsewhere and served as long as they may not know; then open streams may finish.
            log.Info("draining");
            dataPath.BeginDrain();
            foreach (var (loop, entrance) in loops.Zip(entrances))
                loop.Post(entrance.Announce);
            if (listening.IsComplete)
                await Task.Delay(settings.TerminationDrain, time);
            foreach (var (loop, entrance) in loops.Zip(entrances))
                loop.Post(entrance.Drain);
            log.Info("waiting for open streams");

            // Tunnels that were opened before their client heard of it are still served.
            await Task.Delay(GoAwayRoundTrip, time);
            using var patience = new CancellationTokenSource(settings.TerminationPatience);
            await dataPath.StopAsync(patience.Token);
            await Task.WhenAny(Task.WhenAll(entrances.Select(e => e.Empty)), Task.Delay(Timeout.Infinite, patience.Token));
            await drain.RunAsync(TimeSpan.Zero);
            dialer.Drain();
            await ended.CancelAsync();
            await following;
            foreach (var (loop, entrance) in loops.Zip(entrances))
            {
                await loop.InvokeAsync(() =>
                {
                    entrance.Dispose();
                    return true;
                });
                loop.Dispose();
            }
        }

        return ExitCodes.Ok;

        async Task WaitForBothAsync()
        {
            await xds.FirstSync;
            configured.Complete();
            while (!(await certificates.GetAsync(own, CertificatePriority.RealTime, ended.Token)).IsAvailable)
                await Task.Delay(TimeSpan.FromMilliseconds(500), time, ended.Token);
            certified.Complete();
        }

        async Task OpenAsync()
        {
            foreach (var (loop, entrance) in loops.Zip(entrances))
                await loop.InvokeAsync(() => entrance.Listen(settings.Inbound));
            log.Event(LogSeverity.Info, "listener established").Address("address", settings.Inbound).Text("component", "hbone").Write();
        }
    }

    private static FilterFolder? Filters(WaypointSettings settings, MetricRegistry registry, TimeProvider time, Log log)
    {
        if (settings.FiltersFolder.Length == 0)
            return null;
        Directory.CreateDirectory(settings.FiltersFolder);
        var options = new FilterOptions
        {
            Folder = settings.FiltersFolder,
            TimeBudget = settings.FilterTimeBudget,
            AllocationBudget = settings.FilterAllocationBudget,
            FailOpen = settings.FiltersFailOpen,
        };
        return new FilterFolder(options, new FilterCounters(registry), time, log);
    }

    private static GrpcChannelOptions ChannelOptions(WaypointSettings settings, string address) => new()
    {
        Address = new Uri(address.Contains("://", StringComparison.Ordinal) ? address : "https://" + address),
        Trust = settings.RootCertificatePath is { Length: > 0 } root ? GrpcServerTrust.Parse(root) : GrpcServerTrust.System,
        Credentials = settings.AuthToken is { Length: > 0 } token ? TokenCredentials.Parse(token, settings.ClusterId) : null,
    };

    private static Envoy.Service.Discovery.V3.Node Node(WaypointSettings settings) => new XdsNode
    {
        Role = "waypoint",
        InstanceIp = settings.InstanceIp,
        PodName = settings.PodName,
        PodNamespace = settings.PodNamespace,
        Metadata =
        [
            ("GATEWAY_NAME", settings.GatewayName),
            ("SERVICE_ACCOUNT", settings.ServiceAccount),
            ("CLUSTER_ID", settings.ClusterId),
            ("NETWORK", settings.Network),
        ],
    }.ToProto();
}

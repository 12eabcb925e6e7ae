using Mesh.Hbone;
using Mesh.Http2;
using Mesh.Identity.Tls;
using Mesh.Model;
using Mesh.Net;
using Mesh.Runtime;
using Mesh.Runtime.Admin;
using Mesh.Runtime.Decisions;
using Mesh.Runtime.Logging;
using Mesh.Runtime.Metrics;
using Mesh.Ztunnel.Admin;
using Mesh.Ztunnel.Capture;
using Mesh.Ztunnel.Forwarding;
using Mesh.Ztunnel.Inbound;
using Mesh.Ztunnel.Local;
using Mesh.Ztunnel.NodeAgent;
using Mesh.Ztunnel.NodeAgent.Cluster;
using Mesh.Ztunnel.NodeAgent.Cni;
using Mesh.Ztunnel.Pods;
using Mesh.Ztunnel.Settings;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel;

/// <summary>Puts the process together, runs it, and takes it apart. The only file that knows every folder; nothing is bound before <see cref="RunAsync"/>.</summary>
/// <remarks>
/// (1) pages and log  (2) control plane: nothing is served before the first full picture  (3) pods  (4) until told to stop
/// (5) listeners close at once, connections may finish, the rest is cut at the deadline.
/// </remarks>
internal sealed class ZtunnelHost : IAsyncDisposable
{
    /// <summary>So long a stopping agent waits for the answer whether it is for good.</summary>
    private static readonly TimeSpan UninstallQuestion = TimeSpan.FromSeconds(2);

    private readonly ZtunnelSettings _settings;
    private readonly EnvironmentSettings _environment;
    private readonly TimeProvider _time;
    private readonly LogSink _sink;
    private readonly Log _log;
    private readonly MeshState _mesh;
    private readonly MetricRegistry _registry = new();
    private readonly ZtunnelMetrics _metrics;
    private readonly Readiness _readiness;
    private readonly ControlPlane _control;
    private readonly DecisionRing<DecisionRecord>? _decisions;
    private readonly TaskCompletionSource<string> _stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _ended = new();
    private readonly List<EventLoop> _loops = [];
    private readonly ByteBudget _budget;
    private readonly CrlFile? _crl;
    private AdminServer? _admin;
    private PodManager? _pods;
    private IPodSource? _source;
    private ClusterAgent? _cluster;

    /// <summary>Of an agent with a source of its own, before this one without.</summary>
    private CniPlugin? _unwanted;
    private IPodProxy? _self;

    public ZtunnelHost(ZtunnelSettings settings, EnvironmentSettings environment, TimeProvider time)
    {
        _environment = environment;
        _settings = settings;
        _time = time;
        if (!LogFilter.TryParse(settings.Admin.LogFilter, out var filter, out var wrong))
            Console.Error.WriteLine($"ztunnel: RUST_LOG has a clause that cannot be read, info is used: '{wrong}'");
        _sink = LogSink.ToStandardOutput(settings.Admin.JsonLog ? LogFormat.Json : LogFormat.Text, filter, time);
        _log = _sink.For("ztunnel");
        _mesh = new MeshState(settings.NodeName.Length > 0 ? settings.NodeName : null);
        ProcessMetrics.Register(_registry);
        _metrics = new ZtunnelMetrics(_registry, settings.Self.IstioVersion);
        _readiness = new Readiness(time, _sink.For("readiness"));
        _control = new ControlPlane(settings, _mesh, new XdsTelemetry(_metrics, _sink), _sink, time);
        _budget = new ByteBudget(settings.Tunnel.WaitingBytesLimit);
        _crl = settings.Authority.CrlPath is { } crl ? new CrlFile(crl, _sink, time) : null;
        _decisions = settings.Admin.DecisionRing > 0 ? new DecisionRing<DecisionRecord>(settings.Admin.DecisionRing) : null;
    }

    public async Task<int> RunAsync()
    {
        try
        {
            return await RunUntilStoppedAsync();
        }
        catch (Exception failure) when (failure is StartException or AdminBindException or SocketFailureException)
        {
            _log.Error(failure.Message);
            _sink.Flush();
            Console.Error.WriteLine($"ztunnel: {failure.Message}");
            return failure is StartException start ? start.ExitCode : ExitCodes.OsError;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        if (_admin is { } admin)
            await admin.DisposeAsync();
        if (_cluster is { } cluster)
            await cluster.DisposeAsync();
        if (_unwanted is { } plugin)
            await plugin.DisposeAsync();
        foreach (var loop in _loops)
            loop.Dispose();
        _control.Dispose();
        _pods?.Dispose();
        _sink.Dispose();
        _ended.Dispose();
    }

    private async Task<int> RunUntilStoppedAsync()
    {
        // (1)
        _log.Info($"version: {VersionDump.Text}");
        _log.Info($"running with: {string.Join(' ', _environment.Effective.Select(s => $"{s.Key}={s.Value}"))}");
        foreach (var unknown in SettingsReader.Unknown(_environment))
            _log.Warn($"the environment sets {unknown}, which is no setting of this program");
        var (before, now) = ProcessRights.RaiseDescriptorLimit();
        _log.Info($"set file descriptor limits from {before} to {now}");
        var isTransparent = CheckRights();
        using var collection = new IdleCollection(_time, NativeHeapTrim.Run);
        using var signals = Signals.Listen(name => _stop.TrySetResult($"received signal {name}"));
        var synced = _readiness.Register("state manager");
        var served = _readiness.Register("proxy");
        var control = EventLoop.Start("ztunnel-control", LoopOptions());
        _loops.Add(control);
        var factory = Factory(isTransparent);
        if (_settings.Pods.FromCluster)
        {
            var faults = new NodeFaults();
            faults.Register(_registry);
            _cluster = ClusterAgent.Create(_settings, faults, _sink, _time);
        }
        var events = new PodTelemetry(_metrics, _sink, _readiness);
        _pods = new PodManager(factory, _cluster?.Events(events) ?? events);
        _admin = AdminPorts.Make(_settings, _sink, _registry, _readiness, new ConfigDump(_settings, _mesh, _control.Certificates, _pods, LoadStatic()), _decisions, _pods, _stop);
        await _admin.StartAsync();
        served.Complete();

        if (_crl is { } crl)
            control.Spawn(() => crl.WatchAsync(() => RevokeAsync(crl), _ended.Token));

        // The control plane may itself be a pod that waits for our word, so its word is not waited for.
        _cluster?.Start();
        if (_settings.Pods.Cni is { IsChained: false } left)
        {
            PluginAccess.Forget(Path.GetDirectoryName(_settings.Pods.Socket)!);
            if (_cluster is null)
                (_unwanted = new CniPlugin(left, [], WarnIfAny, _sink, _time)).Start();
        }

        // (2)
        var discovery = _control.RunAsync(_ended.Token);
        if (await Task.WhenAny(_control.FirstSync, _stop.Task) == _stop.Task)
            return await DrainAsync(control, ExitCodes.Ok);
        synced.Complete();

        // (3)
        _self = _settings is { Mode: ProxyMode.Shared, Self.Workload: { } own } ? await control.InvokeAsync(() => factory.StartSelfAsync(own)) : null;
        var violation = _settings.DedicatedWorkload is { } dedicated
            ? await control.InvokeAsync(() => ServeOneAsync(dedicated))
            : control.InvokeAsync(FollowAgentAsync);

        // (4)
        var first = await Task.WhenAny((Task)_stop.Task, violation);
        var exitCode = ExitCodes.Ok;
        if (first == violation && await violation is { } broken)
        {
            _log.Error($"the node agent broke the protocol, the process ends: {broken}");
            exitCode = ExitCodes.Failure;
        }

        // (5)
        return await DrainAsync(control, exitCode);
    }

    private Task RevokeAsync(CrlFile crl) => Task.WhenAll(_pods!.RevokeAsync(crl.List.IsRevokedNow), _self?.RevokeAsync(crl.List.IsRevokedNow) ?? Task.CompletedTask);

    private async Task<int> DrainAsync(EventLoop control, int exitCode)
    {
        if (_stop.Task.IsCompleted)
            _log.Info($"{await _stop.Task}, starting shutdown");
        if (_cluster is { } cluster && await cluster.Pods.IsUninstalledAsync(UninstallQuestion))
        {
            _log.Info("the mesh is being removed from this node: its pods are let go");
            await cluster.LeaveNodeAsync();
            await control.InvokeAsync(async () =>
            {
                await ((_source as NodeAgentSource)?.ReleaseAllAsync() ?? Task.CompletedTask);
                return true;
            });
        }
        _cluster?.Pods.Leave();
        using var forced = new CancellationTokenSource(_settings.Drain.Deadline, _time);
        var pages = _admin!.StopAsync(forced.Token);
        await control.InvokeAsync(async () =>
        {
            _source?.Stop();
            await Task.WhenAll(_self?.DrainAsync(forced.Token) ?? Task.CompletedTask, _pods!.DrainAsync(forced.Token));
            return true;
        });
        if (forced.IsCancellationRequested)
            _log.Warn("drain duration expired with pending connections, forcefully shutting down");
        await pages;
        _log.Info("shutdown complete");
        return exitCode;
    }

    private void WarnIfAny(string? text)
    {
        if (text is not null)
            _log.Warn(text);
    }

    /// <summary>What the operator wrote down is known before anything else, and may be combined with a control plane.</summary>
    private MeshSnapshot? LoadStatic()
    {
        if (StaticConfig.Load(_settings.ControlPlane) is not { } update)
            return null;
        _mesh.Apply(update);
        var alone = new MeshState(_mesh.Current.LocalNode);
        alone.Apply(update);
        return alone.Current;
    }

    private async Task<string?> FollowAgentAsync()
    {
        // On the control loop: the manager and its source are single-threaded by that.
        var source = _source = _cluster is { } cluster ? OwnAgent(cluster.Pods) : _settings.Pods.List is { } list ? OwnAgent(new PodListFile(list, _sink, _time)) : new ZdsSource(EventLoop.Current!, _settings.Pods.Socket, _pods!, _sink);
        EventLoop.Current!.Spawn(RetryAsync);
        if (_settings.Pods.CaptureRules != CaptureRules.Off)
            EventLoop.Current!.Spawn(RepairAsync);
        return await source.RunAsync();
    }

    private NodeAgentSource OwnAgent(INodePods wanted)
    {
        var finder = new NamespaceFinder(_settings.Pods.NodeProc, _settings.Pods.NodeCgroups);
        ProbeRules? probes = null;
        if (_settings.Pods.CaptureRules != CaptureRules.Off && finder.OpenNode() is { } node)
            probes = new ProbeRules(_settings.Pods.CaptureRules, node, _settings.Ipv6);
        else
            _log.Warn($"the kubelet's probes are not let pass: {(_settings.Pods.CaptureRules == CaptureRules.Off ? "ZTUNNEL_CAPTURE_RULES is off" : $"the node's network namespace cannot be opened by {_settings.Pods.NodeProc}/1/ns/net (it needs the node's process ids and CAP_SYS_PTRACE)")}");
        return new NodeAgentSource(wanted, finder, probes, _pods!, _sink, _time);
    }

    private async Task RepairAsync()
    {
        while (!_stop.Task.IsCompleted)
        {
            await Task.Delay(PodManager.RepairInterval, _time);
            await _pods!.RepairAsync();
        }
    }

    private async Task RetryAsync()
    {
        while (!_stop.Task.IsCompleted)
        {
            await Task.Delay(PodManager.RetryInterval, _time);
            if (_pods!.PendingCount > 0)
                await _pods.RetryPendingAsync();
        }
    }

    private async Task<Task<string?>> ServeOneAsync(PodInfo workload)
    {
        await _pods!.BeginSnapshotAsync();
        if (await _pods.AddAsync("dedicated", workload, new PodNetwork(default, null)) is { } reason)
            throw new StartException(ExitCodes.OsError, reason);
        await _pods.CompleteSnapshotAsync();
        return new TaskCompletionSource<string?>().Task;
    }

    private PodProxyFactory Factory(bool isTransparent)
    {
        var accessLog = new AccessLog(_sink, _time);
        var services = new List<LoopServices>();
        for (var i = 0; i < _settings.WorkerThreads; i++)
        {
            var loop = EventLoop.Start($"ztunnel-{i}", LoopOptions());
            _loops.Add(loop);
            services.Add(new LoopServices(loop, new ConnectionTelemetry(loop, _metrics, accessLog, _decisions)));
        }
        NodeMetrics.Register(_registry, _loops, _budget);
        var certificates = _control.Certificates is { } cache
            ? (ITunnelCertificates)new PodCertificates(cache, _settings.Authority.IdentityDeadline, _time)
            : new NoCertificates();
        var tls = new MeshTls(new MeshTlsSettings { Tls12 = _settings.Authority.AllowTls12, Time = _time, Revocation = _crl?.List });
        var authorizer = new InboundAuthorizer(_sink, _settings.PolicyInfoLogging, _settings.UnknownPolicy);
        var capture = new CaptureInstaller(_settings.Pods.CaptureRules, _settings.Dns.Enabled, _settings.Ipv6);
        return new PodProxyFactory(_settings, services, _mesh, tls, certificates, TunnelOptions(), authorizer, capture, _sink, _budget, _control.Demand is { } demand ? new OnDemand(_mesh, demand, _time) : null, isTransparent);
    }

    private EventLoopOptions LoopOptions() => new() { Time = _time, BusyPoll = _settings.BusyPoll, UnhandledException = (fault, where) => _log.Error($"unhandled in {where}: {fault}") };

    private HboneOptions TunnelOptions()
    {
        Http2Options Sized(Http2Options options) => options with
        {
            InitialWindowSize = _settings.Tunnel.StreamWindow,
            ConnectionWindowSize = _settings.Tunnel.ConnectionWindow,
            MaxFrameSize = _settings.Tunnel.FrameSize,
        };
        return new HboneOptions
        {
            Client = Sized(Http2Options.ForClient) with { InitialPeerMaxConcurrentStreams = _settings.Tunnel.PoolMaxStreams },
            Server = Sized(Http2Options.ForServer),
            ConnectTimeout = _settings.Tunnel.ConnectTimeout,
            HandshakeTimeout = _settings.Tunnel.HandshakeTimeout,
            MaxStreamsPerConnection = _settings.Tunnel.PoolMaxStreams,
            UnusedTimeout = _settings.Tunnel.PoolUnusedRelease,
        };
    }

    /// <summary>What cannot work is said now and not with the first connection.</summary>
    private bool CheckRights()
    {
        if (_settings.Pods.PacketMark is { } mark && !LoopListener.CanMark(mark))
            throw new StartException(ExitCodes.Permission, "this process may not mark packets (SO_MARK): it needs CAP_NET_ADMIN, CAP_SYS_ADMIN and CAP_NET_RAW");
        var can = LoopListener.CanBeTransparent();
        if (!can && _settings.PreserveSource == true)
            throw new StartException(ExitCodes.Permission, "ENABLE_ORIG_SRC is true, but this process may not use IP_TRANSPARENT: it needs CAP_NET_ADMIN or CAP_NET_RAW");
        return can;
    }
}

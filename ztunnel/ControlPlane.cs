using Mesh.Identity.Fetching;
using Mesh.Model;
using Mesh.Model.Workloads;
using Mesh.Runtime.Logging;
using Mesh.Xds;
using Mesh.Xds.Client;
using Mesh.Xds.Grpc;
using Mesh.Xds.Wds;
using Mesh.Ztunnel.Settings;
using Mesh.Ztunnel.Telemetry;

namespace Mesh.Ztunnel;

/// <summary>The two connections to the control plane: discovery keeps the snapshot, the authority issues certificates.</summary>
internal sealed class ControlPlane : IDisposable
{
    private readonly GrpcChannel? _discovery;
    private readonly GrpcChannel? _authority;
    private readonly DeltaXdsClient? _client;

    public ControlPlane(ZtunnelSettings settings, MeshState mesh, XdsTelemetry telemetry, LogSink sink, TimeProvider time)
    {
        if (settings.ControlPlane.Address is { } address)
        {
            var log = sink.For("xds");
            _discovery = new GrpcChannel(Options(address, settings.ControlPlane.Root, settings.ControlPlane.AlternateHostname, settings.ControlPlane.Token, settings, time));
            var node = Node(settings).ToProto(log.Error);
            var mode = settings.ControlPlane.OnDemand ? XdsSubscriptionMode.OnDemand : XdsSubscriptionMode.Wildcard;
            XdsSubscription[] subscriptions = [new(new WdsAddressHandler(mesh, log.Warn), mode), new(new WdsAuthorizationHandler(mesh, log.Warn, ignoreUnknown: settings.UnknownPolicyField == UnknownPolicy.Warn))];
            _client = new DeltaXdsClient(new GrpcXdsTransport(_discovery, Headers(settings.ControlPlane.Headers)), node, subscriptions, time, telemetry);
            if (settings.ControlPlane.OnDemand)
                Demand = name => _client.DemandAsync(XdsTypeUrls.Address, name);
        }
        if (settings.Authority.Address is { } authority)
        {
            _authority = new GrpcChannel(Options(authority, settings.Authority.Root, settings.Authority.AlternateHostname, settings.Authority.Token, settings, time));
            var client = new CaGrpcClient(_authority, new CaClientOptions { Impersonate = settings.Mode == ProxyMode.Shared, Headers = Headers(settings.Authority.Headers) });
            Certificates = new CertificateCache(new CaCertificateSource(client, settings.Authority.SecretTtl), new CertificateCacheOptions { Time = time });
        }
        if (Certificates is { } cache && settings.Mode == ProxyMode.Shared)
            mesh.Changed += change => Warm(change, cache);
    }

    public CertificateCache? Certificates { get; }

    /// <summary>Asks for one workload, service or address; null: everything is told without asking.</summary>
    public Func<string, Task>? Demand { get; }

    /// <summary>Nothing may be decided before the first full picture.</summary>
    public Task FirstSync => _client?.FirstSync ?? Task.CompletedTask;

    public Task RunAsync(CancellationToken stop) => _client?.RunAsync(stop) ?? Task.CompletedTask;

    public void Dispose()
    {
        Certificates?.Dispose();
        _discovery?.Dispose();
        _authority?.Dispose();
    }

    /// <summary>Workloads of this node will want certificates; those that left do not.</summary>
    private static void Warm(MeshChange change, CertificateCache cache)
    {
        foreach (var workload in change.LocalArrived)
        {
            if (workload.Protocol == TunnelProtocol.Hbone || workload.NativeTunnel)
                cache.Prefetch(workload.Identity);
        }
        foreach (var workload in change.LocalGone)
        {
            if (change.After.LocalWorkloads(workload.Namespace, workload.ServiceAccount).IsEmpty)
                cache.Forget(workload.Identity);
        }
    }

    private static GrpcChannelOptions Options(Uri address, RootCertificate root, string? alternate, AuthToken token, ZtunnelSettings settings, TimeProvider time) => new()
    {
        Address = address,
        Trust = root.System ? GrpcServerTrust.System : root.Inline is { } pem ? GrpcServerTrust.FromPem(pem) : GrpcServerTrust.FromFile(root.File!),
        AlternativeHostName = alternate,
        Credentials = token.File is { } file ? TokenCredentials.FromFile(file, settings.ClusterId)
            : token.Literal is { } literal ? TokenCredentials.FromLiteral(literal, settings.ClusterId)
            : null,
        AllowTls12 = settings.Authority.AllowTls12,
        Time = time,
    };

    private static GrpcMetadata Headers(IReadOnlyDictionary<string, string> headers)
    {
        var metadata = new GrpcMetadata();
        foreach (var (name, value) in headers)
            metadata.Add(name.ToLowerInvariant(), value);
        return metadata;
    }

    private static XdsNode Node(ZtunnelSettings settings) => new()
    {
        Role = "ztunnel",
        InstanceIp = settings.Self.InstanceIp,
        PodName = settings.Self.PodName,
        PodNamespace = settings.Self.PodNamespace,
        NodeName = settings.NodeName,
        Metadata = [.. settings.Self.Metadata.Select(m => (m.Key, m.Value))],
        JsonMetadata = [.. settings.Self.JsonMetadata.Select(m => (m.Key, m.Value))],
    };
}

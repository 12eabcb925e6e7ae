using System.Net;
using System.Text.Json.Nodes;
using Mesh.Ztunnel.Settings;

namespace Mesh.Ztunnel.Admin;

/// <summary>The <c>config</c> of the dump, under the names of the Rust ztunnel. Tokens are not in it.</summary>
internal static class SettingsDump
{
    public static JsonObject Of(ZtunnelSettings settings) => new()
    {
        ["proxy"] = settings.ProxyEnabled,
        ["dnsProxy"] = settings.Dns.Enabled,
        ["windowSize"] = settings.Tunnel.StreamWindow,
        ["connectionWindowSize"] = settings.Tunnel.ConnectionWindow,
        ["frameSize"] = settings.Tunnel.FrameSize,
        ["poolMaxStreamsPerConn"] = settings.Tunnel.PoolMaxStreams,
        ["poolUnusedReleaseTimeout"] = Duration(settings.Tunnel.PoolUnusedRelease),
        ["socks5Addr"] = settings.Socks5 ? "127.0.0.1:15080" : null,
        ["adminAddr"] = Localhost(settings, settings.Admin.Port),
        ["statsAddr"] = SocketAddress(settings, settings.Admin.StatsPort),
        ["readinessAddr"] = SocketAddress(settings, settings.Admin.ReadinessPort),
        ["inboundAddr"] = Wildcard(settings, 15008),
        ["inboundPlaintextAddr"] = Wildcard(settings, 15006),
        ["outboundAddr"] = Wildcard(settings, 15001),
        ["dnsProxyAddr"] = settings.Dns.Address is { } address ? new JsonObject { ["SocketAddr"] = address.ToString() } : Localhost(settings, settings.Dns.Port),
        ["illegalPorts"] = new JsonArray([.. settings.IllegalPorts.Select(p => JsonValue.Create(p))]),
        ["network"] = settings.Network,
        ["localNode"] = settings.NodeName.Length > 0 ? settings.NodeName : null,
        ["proxyMode"] = settings.Mode.ToString(),
        ["proxyWorkloadInformation"] = settings.DedicatedWorkload is { } own
            ? new JsonObject { ["name"] = own.Name, ["namespace"] = own.Namespace, ["serviceAccount"] = own.ServiceAccount }
            : null,
        ["clusterId"] = settings.ClusterId,
        ["clusterDomain"] = settings.ClusterDomain,
        ["caAddress"] = Address(settings.Authority.Address),
        ["caRootCert"] = Root(settings.Authority.Root),
        ["altCaHostname"] = settings.Authority.AlternateHostname,
        ["xdsAddress"] = Address(settings.ControlPlane.Address),
        ["xdsRootCert"] = Root(settings.ControlPlane.Root),
        ["altXdsHostname"] = settings.ControlPlane.AlternateHostname,
        ["preferedServiceNamespace"] = settings.Dns.PreferredNamespace,
        ["secretTtl"] = Duration(settings.Authority.SecretTtl),
        ["xdsOnDemand"] = settings.ControlPlane.OnDemand,
        ["fakeCa"] = false,
        ["fakeSelfInbound"] = false,
        ["selfTerminationDeadline"] = Duration(settings.Drain.Deadline),
        ["proxyMetadata"] = new JsonObject(settings.Self.Metadata.Select(m => KeyValuePair.Create<string, JsonNode?>(m.Key, m.Value))),
        ["numWorkerThreads"] = settings.WorkerThreads,
        ["requireOriginalSource"] = settings.PreserveSource,
        ["inpodUds"] = settings.Pods.Socket,
        ["inpodPortReuse"] = settings.Pods.PortReuse,
        ["packetMark"] = settings.Pods.PacketMark,
        ["socketConfig"] = new JsonObject
        {
            ["keepaliveEnabled"] = settings.Socket.KeepAlive,
            ["keepaliveTime"] = Duration(settings.Socket.KeepAliveTime),
            ["keepaliveInterval"] = Duration(settings.Socket.KeepAliveInterval),
            ["keepaliveRetries"] = settings.Socket.KeepAliveRetries,
            ["userTimeoutEnabled"] = settings.Socket.UserTimeout,
        },
        ["xdsHeaders"] = new JsonArray([.. settings.ControlPlane.Headers.Keys.Select(k => JsonValue.Create(k))]),
        ["caHeaders"] = new JsonArray([.. settings.Authority.Headers.Keys.Select(k => JsonValue.Create(k))]),
        ["localhostAppTunnel"] = settings.LocalhostAppTunnel,
        ["ztunnelIdentity"] = settings.Self.Workload is { } self ? $"spiffe://{settings.TrustDomain}/ns/{self.Namespace}/sa/{self.ServiceAccount}" : null,
        ["ztunnelWorkload"] = settings.Self.Workload is { } workload
            ? new JsonObject { ["name"] = workload.Name, ["namespace"] = workload.Namespace, ["serviceAccount"] = workload.ServiceAccount }
            : null,
        ["ipv6Enabled"] = settings.Ipv6,
        ["crlPath"] = settings.Authority.CrlPath,
        ["enableEnhancedBaggage"] = settings.Baggage,
    };

    private static JsonObject Duration(TimeSpan value) => new() { ["secs"] = (long)value.TotalSeconds, ["nanos"] = value.Ticks % TimeSpan.TicksPerSecond * 100 };

    private static JsonObject Localhost(ZtunnelSettings settings, int port) => new() { ["Localhost"] = new JsonArray(settings.Ipv6, port) };

    private static JsonObject SocketAddress(ZtunnelSettings settings, int port) => new() { ["SocketAddr"] = Wildcard(settings, port) };

    private static string Wildcard(ZtunnelSettings settings, int port) => new IPEndPoint(settings.Ipv6 ? IPAddress.IPv6Any : IPAddress.Any, port).ToString();

    private static string? Address(Uri? uri) => uri?.AbsoluteUri.TrimEnd('/');

    private static JsonNode Root(RootCertificate root) =>
        root.System ? JsonValue.Create("Default")! : root.File is { } file ? new JsonObject { ["File"] = file } : new JsonObject { ["Static"] = "inline" };
}
